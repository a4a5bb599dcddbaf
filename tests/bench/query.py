"""`galen query` from a cold start, and operational rows into models.

    query.py [rows]      default: 1000000
"""

import glob
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time

from measure import ROOT, home, on_both, report, run

COLUMNS = {
    "visit_id": "text NOT NULL PRIMARY KEY", "patient_id": "text NOT NULL", "department": "text NOT NULL", "note": "text",
    "visit_date": "date NOT NULL", "booked_at": "timestamptz NOT NULL", "minutes": "bigint NOT NULL", "age": "bigint",
    "cost": "double precision NOT NULL", "weight": "double precision",
}
TABLES = "CREATE TABLE visits (" + ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items()) + ");\n"
DAG = """dag_id: rows
tables: tables.sql
tasks:
- task_id: fill
  operator: sql
  with:
    statements:
    - |
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
      INSERT INTO visits (visit_id, patient_id, department, note, visit_date, booked_at, minutes, age, cost, weight)
      SELECT 'V' || (100000000 + i), 'P' || (1000000 + i % 99991), 'Department ' || (i % 12),
             CASE WHEN i % 7 = 0 THEN NULL ELSE 'seen at desk ' || (i % 331) END,
             {date}, {time}, 5 + i % 90, i % 97, (i % 99991) / 100.0, (i % 1009) / 8.0
      FROM n
"""
MOMENTS = {
    "SQLite": {"date": "date('2024-01-01', '+' || (i % 700) || ' days')", "time": "strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + i, 'unixepoch')"},
    "PostgreSQL": {"date": "DATE '2024-01-01' + i % 700", "time": "to_timestamp(1700000000 + i)"},
}
ALL = "SELECT " + ", ".join(f"max({name})" for name in COLUMNS) + " FROM {table}"


def cold(times=15):
    """From the command to its answer, with a warehouse of some models there."""
    with home({"efiche": os.path.join(ROOT, "dags", "efiche")}) as folder:
        shutil.copytree(os.path.join(ROOT, "data_sample"), os.path.join(folder, "data_sample"))
        run(["run", "efiche", "--date", "2026-01-01", "--param", "scale=tiny"], folder)
        queries = {
            "one row": "SELECT 1",
            "a model": "SELECT count(*) FROM core.fact_encounters",
            "a join of models": "SELECT d.year, count(*) FROM core.fact_encounters f JOIN core.dim_date d ON d.date_key = f.date_key GROUP BY 1",
            "op": "SELECT count(*) FROM op.encounters",
        }
        for name, sql in queries.items():
            seconds = statistics.median(run(["query", "efiche", sql], folder).seconds for _ in range(times))
            report(f"galen query, cold start, {name}", f"{seconds * 1000:.0f} ms", "≤ 150 ms")


def scan(rows, kind, url):
    """A million rows of ten columns through `op`, beside what the database alone takes for as much."""
    with home({"rows": DAG.format(rows=rows, **MOMENTS[kind])}) as folder:
        with open(os.path.join(folder, "dags", "rows", "tables.sql"), "w") as file:
            file.write(TABLES)
        run(["run", "rows"], folder, url)
        start = statistics.median(run(["query", "rows", "SELECT max(visit_id) FROM op.visits WHERE visit_id = 'V100000001'"], folder, url).seconds for _ in range(3))
        ran = [run(["query", "rows", ALL.format(table="op.visits"), "--format", "csv"], folder, url) for _ in range(3)]
        seconds = statistics.median(r.seconds for r in ran) - start
        processor = statistics.median(r.processor for r in ran)
        bare = alone(folder, url)
        report(
            f"{rows:,} op rows of 10 columns, {kind}",
            f"{rows / seconds:,.0f} rows/s, {max(r.megabytes for r in ran):.0f} MB, {processor / (seconds + start):.2f} processors; the database alone {rows / bare:,.0f} rows/s",
        )


def alone(folder, url):
    """Seconds in which the database gives the rows to the least that can take them."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        if url:
            psql = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))[-1]
            tables = subprocess.run([psql, "-qAt", url, "-c", "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE tablename = 'visits'"], check=True, capture_output=True, text=True).stdout.strip()
            start = time.perf_counter()
            subprocess.run([psql, "-q", url, "-c", f"COPY (SELECT * FROM {tables}) TO STDOUT (FORMAT binary)"], check=True, stdout=subprocess.DEVNULL)
        else:
            path = next(path for path in glob.glob(os.path.join(folder, "state", "**", "*.db"), recursive=True) if has_visits(path))
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as session:
                session.execute(ALL.format(table="visits")).fetchall()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def has_visits(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as session:
        return bool(session.execute("SELECT 1 FROM sqlite_schema WHERE name = 'visits'").fetchall())


def main(rows):
    cold()
    on_both(lambda kind, url: scan(rows, kind, url))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
