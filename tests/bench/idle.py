"""What an idle scheduler costs (part H.2): 100 DAGs, then also 100,000 past runs; memory and processor over a minute,
and how long `runs list` takes with 1,000 and with 100,000 runs."""

import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import time

from measure import GALEN, home, report, run

DAGS = 100
SECONDS = int(os.environ.get("BENCH_IDLE_SECONDS", "60"))


def dag(dag_id):
    return (
        f"dag_id: {dag_id}\n"
        "schedule: {cron: '0 3 1 1 *', timezone: UTC, start_date: 2026-01-01, catchup: false}\n"
        "tasks:\n- {task_id: a, operator: noop}\n- {task_id: b, operator: noop, depends_on: [a]}\n"
    )


def copy_runs(folder, wanted):
    """Repeats a finished run of each DAG until there are so many; straight into the store, which no command would do."""
    store = sqlite3.connect(os.path.join(folder, "state", "galen.db"))
    have = store.execute("SELECT count(*) FROM runs").fetchone()[0]
    columns = {t: [c[1] for c in store.execute(f"PRAGMA table_info({t})")] for t in ("runs", "tasks", "tries")}
    seeds = [r[0] for r in store.execute("SELECT min(run_id) FROM runs GROUP BY dag_id ORDER BY dag_id")]
    n = have
    while have < wanted:
        for seed in seeds:
            n += 1
            moved = f"strftime('%Y-%m-%dT%H:%M:%SZ', '2000-01-01', '+{n} minutes')"
            later = f"strftime('%Y-%m-%dT%H:%M:%SZ', '2000-01-01', '+{n + 1} minutes')"
            for table, names in columns.items():
                values = [
                    "run_id || ?" if c == "run_id" else moved if c == "interval_start" else later if c == "interval_end" else c
                    for c in names
                ]
                text = f"INSERT INTO {table} ({','.join(names)}) SELECT {','.join(values)} FROM {table} WHERE run_id = ?"
                store.execute(text, (f"__copy{n}", seed))
            have += 1
            if have >= wanted:
                break
    store.commit()
    store.close()


def idle(folder):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GALEN_")}
    child = subprocess.Popen([GALEN, "--home", folder, "scheduler"], env=environment, stderr=subprocess.DEVNULL)

    def processor():
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


def main():
    names = [f"dag{n:03}" for n in range(DAGS)]
    with home({name: dag(name) for name in names}) as folder:
        for name in names:
            run(["run", name, "--date", "2025-01-01"], folder)
        for runs in (1_000, 100_000):
            copy_runs(folder, runs)
            seconds = statistics.median(run(["runs", "list"], folder).seconds for _ in range(9))
            report(f"galen runs list, {runs:,} runs (p50)", f"{seconds * 1000:.1f} ms")
            memory, share = idle(folder)
            report(f"idle scheduler, {DAGS} DAGs, {runs:,} runs", f"{memory:.0f} MB, {share:.2%} of a processor", "≤ 60 MB, ≤ 0.2 %")


if __name__ == "__main__":
    sys.exit(main())
