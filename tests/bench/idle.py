"""What an idle scheduler costs, and whether anything slows with history (part H.2): 100 DAGs with 1,000 and with 100,000 past runs,
on SQLite and PostgreSQL. Memory and processor of the scheduler, and how long commands take that ask the store."""

import os
import signal
import sqlite3
import statistics
import subprocess
import time

from measure import GALEN, home, on_both, report, run

DAGS = 100
TIMES = 9
SECONDS = int(os.environ.get("BENCH_IDLE_SECONDS", "60"))
HISTORY = ("runs", "tasks", "tries", "events")

# what differs between the databases when a run is copied `n` minutes into the past
SQLITE = {"shift": "strftime('%Y-%m-%dT%H:%M:%f+00:00', {column}, '-' || v.n || ' minutes')"}
POSTGRES = {"shift": "{column} - v.n * interval '1 minute'"}


def dag(dag_id):
    return (
        f"dag_id: {dag_id}\n"
        "schedule: {cron: '0 3 1 1 *', timezone: UTC, start_date: 2026-01-01, catchup: false}\n"
        "tasks:\n- {task_id: a, operator: noop}\n- {task_id: b, operator: noop, depends_on: [a]}\n"
    )


def ask(url, folder, statement):
    """Rows of a statement, straight from the store."""
    if url:
        text = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-d", url, "-c", statement], check=True, stdout=subprocess.PIPE)
        return [tuple(line.split("\t")) for line in text.stdout.decode().splitlines()]
    store = sqlite3.connect(os.path.join(folder, "state", "galen.db"))
    with store:
        rows = store.execute(statement).fetchall()
    store.close()
    return rows


def copy_runs(url, folder, wanted):
    """Repeats a finished run of each DAG, its events too, until there are so many; straight into the store, which no command would do
    (the copied events do not chain)."""
    schema, dialect = ("galen.", POSTGRES) if url else ("", SQLITE)
    have = int(ask(url, folder, f"SELECT count(*) FROM {schema}runs")[0][0])
    per_dag = (wanted - have) // DAGS
    if url:
        columns = {t: ask(url, folder, f"SELECT column_name FROM information_schema.columns WHERE table_schema = 'galen' AND table_name = '{t}' ORDER BY ordinal_position") for t in HISTORY}
        columns = {t: [c[0] for c in found] for t, found in columns.items()}
    else:
        columns = {t: [c[1] for c in ask(url, folder, f"PRAGMA table_info({t})")] for t in HISTORY}
    series = f"WITH RECURSIVE v(n) AS (SELECT {have} UNION ALL SELECT n + 1 FROM v WHERE n + 1 < {have} + {per_dag})"
    top = int(ask(url, folder, f"SELECT seq FROM {schema}event_head")[0][0])
    for table, names in columns.items():
        values = {
            "run_id": "s.run_id || '__copy' || v.n",
            "seq": f"{top} + row_number() OVER (ORDER BY v.n, s.seq)",
            **{c: dialect["shift"].format(column="s." + c) for c in ("interval_start", "interval_end", "created_at", "started_at", "ended_at", "at")},
        }
        seeds = f"s.run_id IN (SELECT min(run_id) FROM {schema}runs WHERE run_id NOT LIKE '%copy%' GROUP BY dag_id)"
        picked = ", ".join(values.get(c, "s." + c) for c in names)
        ask(url, folder, f"{series} INSERT INTO {schema}{table} ({', '.join(names)}) SELECT {picked} FROM v CROSS JOIN {schema}{table} AS s WHERE {seeds}")
    ask(url, folder, f"UPDATE {schema}event_head SET seq = (SELECT max(seq) FROM {schema}events)")
    if url:
        ask(url, folder, "VACUUM ANALYZE")


def idle(folder, url):
    """Memory in MB and share of a processor of a scheduler with nothing to do."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GALEN_")}
    if url:
        environment["GALEN_DATABASE_URL"] = url
    child = subprocess.Popen([GALEN, "--home", folder, "scheduler"], env=environment, stderr=subprocess.DEVNULL)

    def processor():
        # of the whole process, threads that ended included; exact to a hundredth of a second
        with open(f"/proc/{child.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    time.sleep(10)
    before, start = processor(), time.monotonic()
    time.sleep(SECONDS)
    share = (processor() - before) / (time.monotonic() - start)
    with open(f"/proc/{child.pid}/status") as status:
        memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
    child.send_signal(signal.SIGTERM)
    child.wait()
    return memory, share


def bare_look():
    """Share of a processor of a process that only asks a SQLite file one thing as often as the scheduler wakes by itself, three times in eight
    seconds to renew its lease: what waking up costs on this machine."""
    store = sqlite3.connect(":memory:")
    before, start = time.process_time(), time.monotonic()
    for _ in range(3 * SECONDS // 8):
        time.sleep(8 / 3)
        store.execute("SELECT 1").fetchall()
    return (time.process_time() - before) / (time.monotonic() - start)


def commands(folder, url):
    """Commands that ask the store, and `run`, which also makes the scheduler's own queries: name -> milliseconds (p50)."""
    of_dag = run(["runs", "list", "--dag", "dag050", "--limit", "1", "--json"], folder, url).output
    run_id = of_dag.split('"run_id":"')[1].split('"')[0] if '"run_id":"' in of_dag else of_dag.split('"run_id": "')[1].split('"')[0]
    day = "2026-02-01"
    asked = {
        "dags list": ["dags", "list"],
        "runs list": ["runs", "list"],
        "runs list --dag": ["runs", "list", "--dag", "dag050"],
        "runs list --state failed": ["runs", "list", "--state", "failed"],
        "runs list of two states": ["runs", "list", "--state", "failed", "--state", "success"],
        "tasks list": ["tasks", "list", run_id],
        "audit log --run": ["audit", "log", "--run", run_id],
        "audit log": ["audit", "log"],
        "backfill --dry-run": ["backfill", "dag050", "--from", "2026-01-01", "--to", "2026-12-31", "--dry-run"],
        "run (2 no-ops)": ["run", "dag050", "--date", day],
    }
    return {name: statistics.median(run(words, folder, url).seconds for _ in range(TIMES)) * 1000 for name, words in asked.items()}


def walked(url):
    """Rows that PostgreSQL read by walking through the tables of history."""
    tables = ", ".join(f"'{t}'" for t in HISTORY)
    ask(url, None, "SELECT pg_stat_clear_snapshot()")
    return int(ask(url, None, f"SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE schemaname = 'galen' AND relname IN ({tables})")[0][0])


def measure(kind, url):
    names = [f"dag{n:03}" for n in range(DAGS)]
    with home({name: dag(name) for name in names}) as folder:
        for name in names:
            run(["run", name, "--date", "2025-01-01"], folder, url)
        figures = {}
        for runs in (1_000, 100_000):
            copy_runs(url, folder, runs)
            before = walked(url) if url else 0
            figures[runs] = commands(folder, url)
            memory, share = idle(folder, url)
            report(f"idle scheduler, {DAGS} DAGs, {runs:,} runs, {kind}", f"{memory:.0f} MB, {share:.2%} of a processor", "≤ 60 MB, ≤ 0.2 %")
            if url:
                report(f"rows walked through in history, {runs:,} runs, {kind}", f"{walked(url) - before:,}", "does not grow")
        for name, few in figures[1_000].items():
            report(f"{name}, {kind} (p50)", f"{few:.1f} ms at 1,000 runs, {figures[100_000][name]:.1f} ms at 100,000", "the same")


if __name__ == "__main__":
    report("a bare look three times in eight seconds, Python's sqlite3", f"{bare_look():.2%} of a processor", "")
    on_both(measure)
