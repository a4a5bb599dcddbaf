"""The hospital's gold models over large core tables: Galen, DuckDB and PySpark, the same SQL on the same Parquet files.

    gold.py [treatments] [--only galen,duckdb,pyspark] [--runs N]

There are half as many visits, a tenth as many patients, and a doctor for every 2,000 treatments.
"""

import argparse
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time

import measure

MODELS = os.path.join(measure.ROOT, "dags", "hospital", "models")
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)

TABLES = {
    "dim_doctors": """
        SELECT format('D{:04d}', i) AS doctor_id, 'Dr. ' || md5(i::VARCHAR)[:9] AS doctor_name,
               department(i) AS department, (hash(i, 1) % 45)::BIGINT AS years_experience
        FROM range(1, doctors() + 1) AS t(i)""",
    "dim_patients": """
        SELECT format('P{:07d}', i) AS patient_id, md5(i::VARCHAR)[:12] AS patient_name, (hash(i, 2) % 96)::INT AS age,
               ['Female', 'Male', 'Unknown'][1 + (hash(i, 3) % 21 // 10)::INT] AS gender,
               ['Spain', 'Portugal', 'United States', 'France', 'Germany', 'Italy', 'Morocco', 'Brazil'][1 + (sqrt(hash(i, 4) % 64))::INT % 8] AS country
        FROM range(1, patients() + 1) AS t(i)""",
    "dim_visits": """
        SELECT format('V{:08d}', i) AS visit_id, format('P{:07d}', 1 + (power((hash(i, 5) % 1000003) / 1000003, 1.6) * patients())::BIGINT % patients()) AS patient_id,
               format('D{:04d}', doctor) AS doctor_id, department(doctor) AS department,
               DATE '2023-01-01' + (hash(i, 6) % 1096)::INT AS visit_date, hash(i, 7) % 10 < 3 AS follow_up_required
        FROM (SELECT i, 1 + (hash(i, 8) % doctors())::BIGINT AS doctor FROM range(1, visits() + 1) AS t(i))""",
    "fact_treatments": """
        SELECT format('T{:09d}', i) AS treatment_id, format('V{:08d}', 1 + (hash(i, 9) % visits())::BIGINT) AS visit_id,
               'Treatment ' || chr((65 + sqrt(hash(i, 10) % 196))::INT) AS treatment_type,
               (exp((hash(i, 11) % 100000) / 14000) * 10)::DECIMAL(12, 2) AS treatment_cost,
               ['Self-pay', 'Aegis', 'Beacon', 'Cedar', 'Delta', 'Elm'][1 + (hash(i, 12) % 6)::INT] AS insurance_provider
        FROM range(1, treatments() + 1) AS t(i)""",
}
COLUMNS = {
    "dim_doctors": {"doctor_id": "VARCHAR", "doctor_name": "VARCHAR", "department": "VARCHAR", "years_experience": "BIGINT"},
    "dim_patients": {"patient_id": "VARCHAR", "patient_name": "VARCHAR", "age": "INT", "gender": "VARCHAR", "country": "VARCHAR"},
    "dim_visits": {"visit_id": "VARCHAR", "patient_id": "VARCHAR", "doctor_id": "VARCHAR", "department": "VARCHAR", "visit_date": "DATE", "follow_up_required": "BOOLEAN"},
    "fact_treatments": {"treatment_id": "VARCHAR", "visit_id": "VARCHAR", "treatment_type": "VARCHAR", "treatment_cost": "DECIMAL(12, 2)", "insurance_provider": "VARCHAR"},
}
DEPARTMENTS = "['Cardiology', 'Emergency', 'General Medicine', 'Neurology', 'Oncology', 'Orthopedics', 'Pediatrics', 'Radiology']"


def make(folder, treatments):
    """The four core tables as Delta tables of Parquet files, as Galen keeps them."""
    import deltalake
    import duckdb

    session = duckdb.connect()
    counts = {"treatments": treatments, "visits": treatments // 2, "patients": treatments // 10, "doctors": max(1, treatments // 2000)}
    for name, count in counts.items():
        session.execute(f"CREATE MACRO {name}() AS {count}")
    session.execute(f"CREATE MACRO department(i) AS {DEPARTMENTS}[1 + (hash(i, 0) % 8)::INT]")
    for name, sql in TABLES.items():
        deltalake.write_deltalake(os.path.join(folder, "core", name), session.sql(sql).to_arrow_reader(100_000))


SUMS = os.path.join(MODELS, "core", "fact_visits.sql")


def queries():
    """Layer, name and SELECT of what is built: the treatments summed by visit, then each gold model, those that read another gold model last."""
    found = []
    for path in [SUMS] + sorted(glob.glob(os.path.join(MODELS, "gold", "*.sql"))):
        with open(path) as file:
            found.append((os.path.basename(os.path.dirname(path)), os.path.basename(path)[: -len(".sql")], file.read()))
    return sorted(found, key=lambda model: " gold." in model[2])


def galen(lake, out):
    """A run of these models and nothing else: the other core tables are there, their models only say what columns they have."""
    home = os.path.join(out, "home")
    models = os.path.join(home, "dags", "hospital", "models")
    shutil.copytree(os.path.join(MODELS, "gold"), os.path.join(models, "gold"))
    os.makedirs(os.path.join(models, "core"))
    shutil.copy(SUMS, os.path.join(models, "core"))
    for name, columns in COLUMNS.items():
        casts = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in columns.items())
        with open(os.path.join(models, "core", f"{name}.sql"), "w") as file:
            file.write(f"SELECT {casts}\n")
    # two models compute at a time anyway; no more tasks than that, and their seconds hold no waiting
    with open(os.path.join(home, "dags", "hospital", "dag.yaml"), "w") as file:
        file.write("dag_id: hospital\nmax_active_tasks: 2\ntasks:\n- {task_id: gold, operator: models, with: {select: 'fact_visits layer:gold'}}\n")
    tables = os.path.join(home, "state", "lake", "hospital")
    os.makedirs(tables)
    shutil.copytree(os.path.join(lake, "core"), os.path.join(tables, "core"), copy_function=os.link)
    ran = measure.run(["run", "hospital"], home)
    return ran.seconds, ran.megabytes, took(home)


def took(home):
    """Seconds of each model in the newest run."""
    run = json.loads(measure.run(["runs", "list", "--json"], home).output)[0]
    listed = json.loads(measure.run(["tasks", "list", run["run_id"], "--tries", "--json"], home).output)
    return {task["task"].split(".")[-1]: task["seconds"] for task in listed}


PEERS = {
    "duckdb": """
        import sys, time, json, duckdb
        lake, out, queries = sys.argv[1], sys.argv[2], json.load(sys.stdin)
        session = duckdb.connect(out + '/warehouse.duckdb')
        session.execute("SET threads = 2; SET enable_progress_bar = false")
        session.execute("CREATE SCHEMA core; CREATE SCHEMA gold")
        for name in ('dim_doctors', 'dim_patients', 'dim_visits', 'fact_treatments'):
            session.execute(f"CREATE VIEW core.{name} AS SELECT * FROM read_parquet('{lake}/core/{name}/*.parquet')")
        for layer, name, sql in queries:
            start = time.perf_counter()
            session.execute(f"CREATE TABLE {layer}.{name} AS {sql}")
            print(name, time.perf_counter() - start)
        """,
    "pyspark": """
        import sys, time, json
        from pyspark.sql import SparkSession
        lake, out, queries = sys.argv[1], sys.argv[2], json.load(sys.stdin)
        spark = (SparkSession.builder.master('local[2]').config('spark.ui.enabled', 'false').config('spark.driver.memory', '4g')
                 .config('spark.sql.shuffle.partitions', '8').config('spark.local.dir', out).config('spark.log.level', 'ERROR').getOrCreate())
        for name in ('dim_doctors', 'dim_patients', 'dim_visits', 'fact_treatments'):
            spark.read.parquet(f'{lake}/core/{name}').createOrReplaceTempView('core_' + name)
        for layer, name, sql in queries:
            start = time.perf_counter()
            spark.sql(sql.replace('core.', 'core_').replace('gold.', 'gold_').replace("'isoyear'", "'YEAROFWEEK'")).write.parquet(f'{out}/{name}')
            spark.read.parquet(f'{out}/{name}').createOrReplaceTempView(f'{layer}_{name}')
            print(name, time.perf_counter() - start)
        """,
}


def peer(name):
    """A measurement of another engine in a process of its own."""
    def ran(lake, out):
        script = textwrap.dedent(PEERS[name])
        start = time.perf_counter()
        child = subprocess.Popen([PYTHON, "-c", script, lake, out], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if name == "pyspark" else None, text=True)
        child.stdin.write(json.dumps(queries()))
        child.stdin.close()
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            sys.exit(f"{name} failed")
        times = dict(line.split() for line in output.splitlines())
        # a virtual machine started by the child counts as its child, with its own peak
        return time.perf_counter() - start, usage.ru_maxrss / 1024, {model: float(seconds) for model, seconds in times.items()}
    return ran


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("treatments", nargs="?", type=int, default=10_000_000)
    parser.add_argument("--only", default="galen,duckdb,pyspark")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    engines = {"galen": galen, "duckdb": peer("duckdb"), "pyspark": peer("pyspark")}
    with tempfile.TemporaryDirectory(prefix="galen-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        lake = os.path.join(folder, "lake")
        make(lake, arguments.treatments)
        for name in arguments.only.split(","):
            rounds = []
            for number in range(arguments.runs):
                out = os.path.join(folder, f"{name}-{number}")
                os.makedirs(out)
                rounds.append(engines[name](lake, out))
                shutil.rmtree(out)
            whole = [f"{seconds:.1f}" for seconds, _, _ in rounds]
            measure.report(f"{name}, whole process", f"{' '.join(whole)} s", f"{max(peak for _, peak, _ in rounds):,.0f} MB at most")
            models = {model: statistics.median(times[model] for _, _, times in rounds) for model in rounds[0][2]}
            measure.report(f"{name}, sum of the models", f"{sum(models.values()):.1f} s")
            for model, seconds in sorted(models.items()):
                measure.report(f"{name}, {model}", f"{seconds:.2f} s")


if __name__ == "__main__":
    main()
