"""Chains and crowds of no-ops through `galen run`, on SQLite and PostgreSQL (part H.1).

A figure is the median wall time of whole processes, start and end included.
"""

import statistics
import sys

from measure import home, postgres, report, run


def dag(dag_id, tasks, chained):
    lines = [f"dag_id: {dag_id}", "tasks:"]
    for n in range(tasks):
        after = f", depends_on: [t{n - 1}]" if chained and n else ""
        lines.append(f"- {{task_id: t{n}, operator: noop{after}}}")
    return "\n".join(lines) + "\n"


CASES = [
    ("chain of 40", dag("chain", 40, True), "chain", 5, ("≤ 0.1 s", "≤ 0.3 s")),
    ("100 independent", dag("crowd100", 100, False), "crowd100", 5, ("≤ 0.1 s", "≤ 0.3 s")),
    ("1,000 independent", dag("crowd1000", 1_000, False), "crowd1000", 3, ("", "")),
    ("10,000 independent", dag("crowd10000", 10_000, False), "crowd10000", 1, ("≤ 4 s", "≤ 4 s")),
]


def main():
    with postgres() as database:
        for name, text, dag_id, times, bounds in CASES:
            for kind, bound in zip(("SQLite", "PostgreSQL"), bounds):
                if kind == "PostgreSQL" and not database:
                    continue
                with home({dag_id: text}) as folder:
                    url = database() if kind == "PostgreSQL" else None
                    days = [f"2026-01-{day:02}" for day in range(1, times + 2)]
                    # the first run also makes the database
                    runs = [run(["run", dag_id, "--date", day], folder, url) for day in days]
                    seconds = statistics.median(ran.seconds for ran in runs[1:])
                    first = runs[0].seconds
                    report(f"{name}, {kind}", f"{seconds:.3f} s (first run {first:.3f} s)", bound)


if __name__ == "__main__":
    sys.exit(main())
