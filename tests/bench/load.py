"""Files to final tables (part H.3): PadChest-shaped rows and NIH ChestX-ray14, row audit and provenance on, batches of 500;
beside them the row-at-a-time baseline on the same PostgreSQL server.

    python3 load.py [ROWS ...]        default: 100000
"""

import json
import os
import shutil
import subprocess
import sys

from measure import ROOT, home, postgres, report, run, settle, warm

EFICHE = os.path.join(ROOT, "dags", "efiche")
SHARED = os.environ.get("GALEN_SHARED_DATA", os.path.join(ROOT, "..", "shared", "data"))
NIH = os.path.join(SHARED, "nih-chestxray14", "Data_Entry_2017_v2020.csv.gz")
BASELINE_ROWS = 20_000
BOUNDS = {"SQLite": "≥ 20,000 rows/s, ≤ 250 MB", "PostgreSQL": "≥ 10,000 rows/s, ≤ 250 MB"}


def generate(folder, rows):
    run(["generate", os.path.join(EFICHE, "padchest.yaml"), "--out", folder, "--rows", str(rows)])
    return os.path.join(folder, "padchest_shaped.csv")


def load(name, task, rows, place, kind, url, bound, parameters=()):
    """Runs the tasks up to `task` on all rows; `place(home)` puts the file where the DAG looks for it."""
    with home({"efiche": EFICHE}) as folder:
        place(folder)
        given = [part for parameter in ("max_rows=0", *parameters) for part in ("--param", parameter)]
        settle(url)
        ran = run(["run", "efiche", "--task", f"+{task}", "--date", "2026-01-01", *given], folder, url)
        tables = json.loads(run(["tables", "efiche", "--json"], folder, url).output)
        written = sum(table["rows"] for table in tables if table["layer"] in ("op", "quarantine"))
        report(
            f"{name}, {rows:,} rows, {kind}",
            f"{ran.seconds:.1f} s, {rows / ran.seconds:,.0f} file rows/s, {written / ran.seconds:,.0f} table rows/s, {ran.megabytes:.0f} MB",
            bound,
        )
        return rows / ran.seconds


def main(sizes):
    with postgres() as database, home({}) as scratch:
        if database:
            warm(database())
        for rows in sizes:
            file = generate(scratch, rows)

            def place(folder):
                data = os.path.join(folder, "data_sample", "padchest")
                os.makedirs(data)
                shutil.copy(file, data)

            for kind in ("SQLite", "PostgreSQL") if database else ("SQLite",):
                url = database() if kind == "PostgreSQL" else None
                speed = load("PadChest-shaped", "load_padchest", rows, place, kind, url, BOUNDS[kind])
        python = os.environ.get("BENCH_PYTHON", sys.executable)
        has_driver = subprocess.run([python, "-c", "import psycopg2"], stderr=subprocess.DEVNULL).returncode == 0
        if not has_driver:
            print(f"skipped the baseline: {python} has no psycopg2 (BENCH_PYTHON names another)", file=sys.stderr)
        if database and has_driver:
            file = generate(scratch, BASELINE_ROWS)
            script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.py")
            out = subprocess.run([python, script, file, database()], check=True, capture_output=True, text=True).stdout
            took = json.loads(out)
            slow = took["rows"] / (took["stage_seconds"] + took["process_seconds"])
            staged = took["rows"] / took["stage_seconds"]
            processed = took["rows"] / took["process_seconds"]
            report(
                f"Python, row at a time, {took['rows']:,} rows, PostgreSQL",
                f"{slow:,.0f} file rows/s (stage {staged:,.0f}, process {processed:,.0f}); Galen is {speed / slow:.1f} times as fast",
                "≥ 10 times",
            )
        if os.path.exists(NIH):
            given = [f"nih={os.path.realpath(NIH)}"]
            for kind in ("SQLite", "PostgreSQL") if database else ("SQLite",):
                url = database() if kind == "PostgreSQL" else None
                load("NIH ChestX-ray14", "load_nih", 112_120, lambda folder: None, kind, url, "≤ 6 s" if kind == "SQLite" else "", given)
        else:
            print(f"skipped NIH: {NIH} is not there", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main([int(rows) for rows in sys.argv[1:]] or [100_000]))
