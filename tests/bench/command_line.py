"""How long commands take (part H.2): `--version`, `dags list`, and `dags validate` of 1,000 files of 20 tasks."""

import os
import statistics
import sys

from measure import ROOT, home, report, run


def dag(dag_id, tasks):
    lines = [f"dag_id: {dag_id}", "description: one of many", "schedule: '@daily'", "start_date: 2026-01-01", "tasks:"]
    lines = [line for line in lines if not line.startswith(("schedule", "start_date"))]
    lines.insert(2, "schedule: {cron: '0 3 * * *', timezone: Europe/Madrid, start_date: 2026-01-01}")
    for n in range(tasks):
        after = f", depends_on: [t{n - 1}]" if n else ""
        lines.append(f"- {{task_id: t{n}, operator: shell{after}, with: {{command: [echo, '{{{{ ds }}}}']}}}}")
    return "\n".join(lines) + "\n"


def median(times, *arguments):
    return statistics.median(run(*arguments).seconds for _ in range(times))


def main():
    report("galen --version", f"{median(20, ['--version']) * 1000:.1f} ms", "≤ 10 ms")
    with home({f"dag{n}": dag(f"dag{n}", 20) for n in range(20)}) as folder:
        report("galen dags list, 20 DAGs", f"{median(10, ['dags', 'list'], folder) * 1000:.1f} ms", "≤ 50 ms")
    with home({name: os.path.join(ROOT, "dags", name) for name in ("efiche", "hospital")}) as folder:
        run(["db", "migrate"], folder)
        first = run(["dags", "list"], folder).seconds
        again = median(10, ["dags", "list"], folder)
        report("galen dags list, the shipped DAGs with their models", f"{again * 1000:.1f} ms, {first * 1000:.1f} ms after a change", "≤ 50 ms")
    with home({f"dag{n}": dag(f"dag{n}", 20) for n in range(1_000)}) as folder:
        ran = [run(["dags", "validate"], folder) for _ in range(3)]
        seconds = statistics.median(r.seconds for r in ran)
        report("galen dags validate, 1,000 files of 20 tasks", f"{seconds:.2f} s, {ran[-1].megabytes:.0f} MB", "≤ 1 s")


if __name__ == "__main__":
    sys.exit(main())
