"""The hospital from CSV files to gold, marts and tests, and the plain transformations alone in dbt on DuckDB beside it.

    whole_way.py [factor] [--only galen,dbt]      factor 5000: 10 million treatments

Galen lands every record with its provenance, judges it by the rule tables, sets aside what breaks them with all reasons, and tests and
explains every model. dbt reads the same files and does what the rules do to values, takes each key once, and builds the same models.
"""

import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import measure

HOSPITAL = os.path.join(measure.ROOT, "dags", "hospital")
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)
DATE = """coalesce(CASE trim(site) WHEN 'Lisbon' THEN try_strptime({0}, '%d/%m/%Y') WHEN 'Boston' THEN try_strptime({0}, '%m/%d/%Y')
        ELSE try_strptime({0}, '%Y-%m-%d') END, try_strptime({0}, '%d %b %Y'))::DATE"""
MONEY = "try_cast(regexp_replace(trim({0}), '[$,]|USD ', '', 'g') AS DECIMAL(12, 2))"
SILVER = {
    "doctors": """SELECT DISTINCT ON (doctor_id) upper(trim(doctor_id)) AS doctor_id, regexp_replace(trim(doctor_name), '\\s+', ' ', 'g') AS doctor_name,
        unit, {standard_department} AS department, try_cast(regexp_replace(trim(years_experience), '\\s*(years|yrs\\.?)$', '') AS BIGINT) AS years_experience, email
        FROM {read}""",
    "patients": """SELECT DISTINCT ON (patient_id) upper(trim(patient_id)) AS patient_id, trim(site) AS site, regexp_replace(trim(patient_name), '\\s+', ' ', 'g') AS patient_name,
        CASE trim(gender) WHEN 'F' THEN 'Female' WHEN 'M' THEN 'Male' ELSE trim(gender) END AS gender, """ + DATE.format("trim(birth_date)") + """ AS birth_date,
        {standard_country} AS country FROM {read} WHERE """ + DATE.format("trim(birth_date)") + " IS NOT NULL",
    "visits": """SELECT DISTINCT ON (v.visit_id) v.* FROM (SELECT upper(trim(visit_id)) AS visit_id, upper(trim(patient_id)) AS patient_id, upper(trim(doctor_id)) AS doctor_id,
        trim(site) AS site, {standard_department} AS department, """ + DATE.format("trim(visit_date)") + """ AS visit_date, diagnosis_code, try_cast(minutes AS BIGINT) AS minutes,
        lower(trim(follow_up_required)) IN ('yes', 'y', 'true') AS follow_up_required FROM {read}) AS v
        JOIN {patients} AS p ON p.patient_id = v.patient_id JOIN {doctors} AS d ON d.doctor_id = v.doctor_id WHERE v.visit_date IS NOT NULL""",
    "treatments": """SELECT DISTINCT ON (t.treatment_id) t.* FROM (SELECT upper(trim(treatment_id)) AS treatment_id, upper(trim(visit_id)) AS visit_id,
        {standard_treatment_type} AS treatment_type, """ + MONEY.format("treatment_cost") + " AS treatment_cost, " + MONEY.format("amount_paid") + """ AS amount_paid,
        {standard_insurance_provider} AS insurance_provider FROM {read}) AS t JOIN {visits} AS v ON v.visit_id = t.visit_id WHERE t.treatment_cost >= 0""",
}


def galen(data, out):
    home = os.path.join(out, "home")
    shutil.copytree(HOSPITAL, os.path.join(home, "dags", "hospital"))
    ran = measure.run(["run", "hospital", "--date", "2026-01-02", "--param", f"data={data}"], home)
    run = json.loads(measure.run(["runs", "list", "--json"], home).output)[0]
    tasks = json.loads(measure.run(["tasks", "list", run["run_id"], "--tries", "--json"], home).output)
    again = measure.run(["run", "hospital", "--date", "2026-01-02", "--param", f"data={data}"], home)
    measure.report("galen, once more with nothing new", f"{again.seconds:.1f} s")
    for kind in ("land", "clean", "warehouse"):
        spent = sum(task["seconds"] or 0 for task in tasks if task["task"].startswith(kind))
        measure.report(f"galen, tasks {kind}*", f"{spent:.1f} s, some beside others")
    return ran.seconds, ran.megabytes


def dbt(data, out):
    """A dbt project of the same models: SQL of the DAG with its table names as `ref`."""
    project = os.path.join(out, "project")
    os.makedirs(os.path.join(project, "models"))
    write(project, "dbt_project.yml", "name: hospital\nversion: '1.0.0'\nprofile: hospital\nmodels: {hospital: {+materialized: table}}\n")
    profile = {"type": "duckdb", "path": os.path.join(out, "hospital.duckdb"), "threads": 1, "settings": {"threads": 2, "memory_limit": "1500MB"}}
    write(project, "profiles.yml", json.dumps({"hospital": {"target": "it", "outputs": {"it": profile}}}))
    standards = {}
    with open(os.path.join(HOSPITAL, "rules", "ref_data.csv")) as file:
        for line in list(file)[1:]:
            table, column, actual, standard = line.split(",")[:4]
            standards.setdefault((table, column), []).append((actual, standard))
    def standard(table, column):
        cases = " ".join(f"WHEN '{actual}' THEN '{standard}'" for actual, standard in standards.get((table, column), []))
        return f"CASE trim({column}) {cases} ELSE trim({column}) END" if cases else f"trim({column})"
    names = {"read": "", **{name: f"{{{{ ref('silver_{name}') }}}}" for name in SILVER}}
    for name, sql in SILVER.items():
        columns = {f"standard_{column}": standard(name, column) for column in ("department", "country", "treatment_type", "insurance_provider")}
        read = f"read_csv('{data}/{name}.csv', all_varchar = true)"
        write(project, f"models/silver_{name}.sql", sql.format(**{**names, **columns, "read": read}))
    for path in glob.glob(os.path.join(HOSPITAL, "models", "*", "*.sql")):
        layer, name = path.split(os.sep)[-2], os.path.basename(path)[: -len(".sql")]
        with open(path) as file:
            sql = re.sub(r"^--.*\n", "", file.read(), flags=re.M)
        sql = re.sub(r"\b(silver|core|gold|marts)\.(\w+)", r"{{ ref('\1_\2') }}", sql)
        for ours, theirs in (("to_char(", "strftime("), ("column1", "col0"), ("column2", "col1")):
            sql = sql.replace(ours, theirs)
        write(project, f"models/{layer}_{name}.sql", sql)
    program = os.path.join(os.path.dirname(PYTHON), "dbt")
    start = time.perf_counter()
    child = subprocess.Popen([program, "--quiet", "run", "--project-dir", project, "--profiles-dir", project], stdout=sys.stderr)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit("dbt failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def write(folder, name, text):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("factor", nargs="?", default="5000")
    parser.add_argument("--only", default="galen,dbt")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="galen-bench-", dir=os.environ.get("BENCH_DIR")) as folder:
        data = os.path.join(folder, "data")
        measure.run(["generate", os.path.join(HOSPITAL, "generate.yaml"), "--out", data, "--scale", arguments.factor])
        megabytes = sum(os.path.getsize(path) for path in glob.glob(os.path.join(data, "*.csv"))) / 1e6
        measure.report("files", f"{megabytes:,.0f} MB")
        for name in arguments.only.split(","):
            out = os.path.join(folder, name)
            os.makedirs(out)
            seconds, peak = {"galen": galen, "dbt": dbt}[name](data, out)
            measure.report(f"{name}, whole process", f"{seconds:.1f} s", f"{peak:,.0f} MB")
            shutil.rmtree(out)


if __name__ == "__main__":
    main()
