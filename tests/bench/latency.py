"""How soon a task starts (part H.1), on SQLite and PostgreSQL: after the task before it with 50 runs active, and after its time has come.

The moment a task could start is taken from the log of the task before it: the line `succeeded`, which its worker writes before
the engine hears of the end. That it started is taken from two sides: its `task_started` event, whose time is that of the decision,
and, for a no-op, its own line `succeeded`, by when the decision was also written to the database, the try started and was over.
"""

import datetime
import json
import math
import os
import signal
import statistics
import subprocess
import time

from measure import GALEN, home, on_both, report, run

RUNS = 50
MINUTES = int(os.environ.get("BENCH_LATENCY_MINUTES", "3"))
# DAGs that are due at the same moment
CLOCKS = 100


def chain():
    """No-ops and short commands in turn, in several branches; the lengths differ, so that runs do not keep step."""
    lines = [
        "dag_id: busy",
        f"max_active_runs: {RUNS}",
        "schedule: {cron: '0 0 * * *', timezone: UTC, start_date: 2026-01-01, catchup: false}",
        "tasks:",
    ]
    for branch in "ab":
        for n in range(8):
            after = f", depends_on: [{branch}{n - 1}]" if n else ""
            pause = f"0.{2 + (n * 7 + ord(branch)) % 5}{{{{ ds_nodash[-1:] }}}}"
            work = f"operator: shell, with: {{command: [sleep, '{pause}']}}" if n % 2 else "operator: noop"
            lines.append(f"- {{task_id: {branch}{n}, {work}{after}}}")
    return "\n".join(lines) + "\n"


def clock(dag_id):
    return (
        f"dag_id: {dag_id}\n"
        "schedule: {cron: '* * * * *', timezone: UTC, start_date: 2026-01-01, catchup: false}\n"
        "tasks:\n- {task_id: t, operator: noop}\n"
    )


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def succeeded(folder):
    """When each task said that it succeeded: (run, task) -> seconds."""
    ends = {}
    for place, _, files in os.walk(os.path.join(folder, "state", "logs")):
        for file in files:
            with open(os.path.join(place, file)) as lines:
                for line in map(json.loads, lines):
                    if line["message"] == "succeeded":
                        ends[os.path.basename(place), file.split(".")[0]] = moment(line["at"])
    return ends


def started(folder, url):
    """When each task was decided to start: (run, task) -> seconds."""
    lines = run(["audit", "export"], folder, url).output.splitlines()
    events = (json.loads(line) for line in lines if "task_started" in line)
    return {(e["run_id"], e["task_id"]): e["at"] / 1e6 for e in events}


def percentile(values, share):
    return sorted(values)[math.ceil(share * len(values)) - 1]


def spread(seconds):
    figures = [statistics.median(seconds), percentile(seconds, 0.99), max(seconds)]
    p50, p99, most = (f"{value * 1000:.1f}" for value in figures)
    return f"p50 {p50} ms, p99 {p99} ms, max {most} ms ({len(seconds)} starts)"


def after_upstream(kind, url):
    with home({"busy": chain()}) as folder:
        with open(os.path.join(folder, "galen.toml"), "w") as settings:
            settings.write("[engine]\nparallelism = 200\n[pools]\ndefault = 200\n")
        run(["run", "busy", "--date", "2026-01-01"], folder, url)
        days = ["--from", "2026-02-01", "--to", "2026-03-22", "--max-active-runs", str(RUNS)]
        run(["backfill", "busy", *days], folder, url)
        ends, starts = succeeded(folder), started(folder, url)
        decided, over = [], []
        for (run_id, task), at in starts.items():
            before = (run_id, f"{task[0]}{int(task[1:]) - 1}")
            if before in ends:
                decided.append(at - ends[before])
                if int(task[1:]) % 2 == 0:
                    over.append(ends[run_id, task] - ends[before])
        report(f"from the end of a task to the start of the next, {RUNS} runs active, {kind}", spread(decided), "p99 ≤ 10 ms")
        report(f"to the end of the next, a no-op, {RUNS} runs active, {kind}", spread(over))


def at_its_time(kind, url):
    names = [f"clock{n}" for n in range(CLOCKS)]
    with home({name: clock(name) for name in names}) as folder:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GALEN_")}
        if url:
            environment["GALEN_DATABASE_URL"] = url
        child = subprocess.Popen([GALEN, "--home", folder, "scheduler"], env=environment, stderr=subprocess.DEVNULL)
        started = time.time()
        # into the minute after the last one that counts
        time.sleep(60 * (MINUTES + 1) - started % 60 + 3)
        child.send_signal(signal.SIGTERM)
        child.wait()
        late = []
        for (run_id, _), at in succeeded(folder).items():
            # the run is named by the start of its interval, a minute before its time
            stamp = datetime.datetime.strptime(run_id.rsplit("__", 1)[1], "%Y%m%dT%H%M%SZ")
            due = stamp.replace(tzinfo=datetime.timezone.utc).timestamp() + 60
            if due > started:
                late.append(at - due)
        report(f"from the time of a scheduled run to the end of its first no-op, {CLOCKS} DAGs, {kind}", spread(late), "≤ 100 ms")


def measure(kind, url):
    after_upstream(kind, url)
    at_its_time(kind, url)


if __name__ == "__main__":
    on_both(measure)
