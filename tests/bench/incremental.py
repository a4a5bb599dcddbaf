"""Incremental models over a large core table: a full build, and a run after some new rows.

    incremental.py [rows] [--new SHARE] [--runs N]

The core table has a row for each treatment, in the order of time under keys in no order, as hashes are. New ones come in one commit, as a delivery.
"""

import argparse
import glob
import json
import os
import statistics
import tempfile

import measure

ROWS = """
    SELECT md5(i::VARCHAR) AS treatment_id, format('V{{:09d}}', (hash(i, 1) % {visits})::BIGINT) AS visit_id,
           format('D{{:04d}}', (hash(i, 2) % 5000)::INT) AS doctor_id, 'Treatment ' || chr((65 + hash(i, 3) % 14)::INT) AS treatment_type,
           (exp((hash(i, 4) % 100000) / 14000) * 10)::DECIMAL(12, 2) AS treatment_cost, ['Self-pay', 'Aegis', 'Beacon', 'Cedar', 'Elm'][1 + (hash(i, 5) % 5)::INT] AS insurer,
           TIMESTAMPTZ '2023-01-01 00:00:00+00' + to_microseconds(i * 90909) * {stretch} AS treated_at
    FROM range({first}, {last}) AS t(i)"""
COLUMNS = {
    "treatment_id": "VARCHAR", "visit_id": "VARCHAR", "doctor_id": "VARCHAR", "treatment_type": "VARCHAR", "treatment_cost": "DECIMAL(12, 2)",
    "insurer": "VARCHAR", "treated_at": "TIMESTAMPTZ",
}
CORE = "SELECT " + ", ".join(f"arrow_cast(NULL, 'Timestamp(Microsecond, Some(\"UTC\"))') AS {name}" if kind == "TIMESTAMPTZ" else f"CAST(NULL AS {kind}) AS {name}" for name, kind in COLUMNS.items()) + "\n"

MODELS = {
    # rows that come once: only new ones
    "appended": """/*
materialized: incremental
unique_key: treatment_id
since: treated_at
*/
SELECT treatment_id, visit_id, doctor_id, treatment_type, treatment_cost, insurer, treated_at FROM core.treatments WHERE treated_at > {{ since }}
""",
    # the newest rows are looked at again, and are as they were
    "looked_back": """/*
materialized: incremental
unique_key: treatment_id
since: treated_at
lookback: 1h
*/
SELECT treatment_id, visit_id, doctor_id, treatment_type, treatment_cost, insurer, treated_at FROM core.treatments WHERE treated_at >= {{ since }}
""",
    # a row for each hour and doctor: those of the newest hour are summed anew
    "summed": """/*
materialized: incremental
unique_key: [hour, doctor_id]
since: hour
partition_by: day
*/
SELECT CAST(hour AS DATE) AS day, hour, doctor_id, count(*) AS treatments, sum(treatment_cost) AS total_cost
FROM (SELECT date_trunc('hour', treated_at) AS hour, doctor_id, treatment_cost FROM core.treatments WHERE treated_at >= {{ since }})
GROUP BY hour, doctor_id
""",
}
DAG = "dag_id: growth\nmax_active_tasks: 1\ntasks:\n- {task_id: gold, operator: models, with: {select: 'layer:gold'}}\n"


def rows(first, last, total):
    """Treatments with these numbers; all of them lie within ten days and a half, however many there are."""
    import duckdb

    session = duckdb.connect()
    session.execute("SET TimeZone = 'UTC'")
    stretch = 10_000_000 / total
    return session.sql(ROWS.format(first=first, last=last, visits=max(1, total // 2), stretch=stretch)).to_arrow_reader(100_000)


def make(folder, total):
    """The home folder, its core table as Galen keeps it."""
    import deltalake

    models = os.path.join(folder, "dags", "growth", "models")
    os.makedirs(os.path.join(models, "core"))
    os.makedirs(os.path.join(models, "gold"))
    with open(os.path.join(folder, "dags", "growth", "dag.yaml"), "w") as file:
        file.write(DAG)
    with open(os.path.join(models, "core", "treatments.sql"), "w") as file:
        file.write(CORE)
    for name, text in MODELS.items():
        with open(os.path.join(models, "gold", f"{name}.sql"), "w") as file:
            file.write(text)
    core = os.path.join(folder, "state", "lake", "growth", "core", "treatments")
    deltalake.write_deltalake(core, rows(0, total, total))
    return core


def build(folder):
    """A run of all models: how it went, and its tasks by model."""
    ran = measure.run(["run", "growth"], folder)
    run = json.loads(measure.run(["runs", "list", "--json"], folder).output)[0]
    listed = json.loads(measure.run(["tasks", "list", run["run_id"], "--tries", "--json"], folder).output)
    return ran, {task["task"].split(".")[-1]: task for task in listed}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="?", type=int, default=10_000_000)
    parser.add_argument("--new", type=float, default=0.001)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    import deltalake

    total, new = arguments.rows, max(1, round(arguments.rows * arguments.new))
    with tempfile.TemporaryDirectory(prefix="galen-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        core = make(folder, total)
        full, first = build(folder)
        rounds = []
        for number in range(arguments.runs):
            start = total + number * new
            deltalake.write_deltalake(core, rows(start, start + new, total), mode="append")
            rounds.append(build(folder))
        sizes = {name: size(os.path.join(folder, "state", "lake", "growth", "gold", name)) for name in MODELS}
    seconds = statistics.median(ran.seconds for ran, _ in rounds)
    peak = max(ran.megabytes for ran, _ in [(full, None), *rounds])
    line("whole process, all models", full.seconds, seconds, f"{peak:,.0f} MB at most")
    for name in sorted(MODELS):
        took = statistics.median(tasks[name]["seconds"] for _, tasks in rounds)
        line(f"model {name}", first[name]["seconds"], took, sizes[name])


def size(table):
    """Parquet files of a table, old ones too."""
    files = glob.glob(os.path.join(table, "**", "*.parquet"), recursive=True)
    return f"{len(files)} files of {sum(os.path.getsize(file) for file in files) / 1e6:,.0f} MB"


def line(name, full, incremental, remark):
    measure.report(f"{name}: full build", f"{full:.2f} s", remark)
    measure.report(f"{name}: after new rows", f"{incremental:.2f} s, {incremental / full:.1%}", "< 5 %")


if __name__ == "__main__":
    main()
