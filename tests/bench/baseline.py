"""A Python pipeline of the usual kind, row at a time: a PadChest-shaped CSV to the tables of `dags/efiche` on PostgreSQL.

    python3 baseline.py FILE.csv DATABASE_URL

Same shape of work as Galen's: every file row is staged as it came; then each is taken up, parsed, checked, upserted
row by row into patients, encounters, procedures, reports and diagnoses with an audit row for each change, and marked as
processed; a commit every 500 rows. Needs psycopg2 (`pip install psycopg2-binary`).
"""

import ast
import csv
import hashlib
import json
import sys
import time
import uuid

import psycopg2

SPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")

TABLES = """
CREATE TABLE padchest_staging (row_id BIGSERIAL PRIMARY KEY, record JSONB NOT NULL, hash TEXT NOT NULL, line BIGINT NOT NULL,
  processed BOOLEAN NOT NULL DEFAULT false);
CREATE INDEX ON padchest_staging (row_id) WHERE NOT processed;
CREATE TABLE patients (patient_id TEXT PRIMARY KEY, source_patient_id TEXT NOT NULL, birth_year INT, sex TEXT);
CREATE TABLE encounters (encounter_id TEXT PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients, date DATE NOT NULL,
  patient_age INT CHECK (patient_age BETWEEN 0 AND 120));
CREATE TABLE procedures (procedure_id TEXT PRIMARY KEY, encounter_id TEXT NOT NULL REFERENCES encounters, modality TEXT,
  projection TEXT, view_position TEXT, pediatric BOOLEAN, manufacturer TEXT, image TEXT NOT NULL);
CREATE TABLE reports (report_id TEXT PRIMARY KEY, encounter_id TEXT NOT NULL REFERENCES encounters, language TEXT NOT NULL, text TEXT);
CREATE TABLE diagnoses (diagnosis_id TEXT PRIMARY KEY, encounter_id TEXT NOT NULL REFERENCES encounters, code TEXT NOT NULL,
  date DATE NOT NULL, asserted_by TEXT);
CREATE TABLE quarantine (line BIGINT NOT NULL, reason TEXT NOT NULL, record JSONB NOT NULL);
CREATE TABLE audit_log (id BIGSERIAL PRIMARY KEY, table_name TEXT, operation TEXT, record_id TEXT, changed_by TEXT,
  changed_at TIMESTAMPTZ, old_values JSONB, new_values JSONB);
"""

AUDIT = "INSERT INTO audit_log (table_name, operation, record_id, changed_by, changed_at, new_values) VALUES (%s, %s, %s, 'baseline', now(), %s)"


def key(*parts):
    return str(uuid.uuid5(SPACE, "/".join(parts)))


def stage(cursor, commit, file):
    with open(file, newline="") as text:
        for line, record in enumerate(csv.DictReader(text), 2):
            body = json.dumps(record)
            digest = hashlib.sha256(body.encode()).hexdigest()
            cursor.execute("INSERT INTO padchest_staging (record, hash, line) VALUES (%s, %s, %s)", (body, digest, line))
            if line % 500 == 0:
                commit()
    commit()


def upsert(cursor, table, values):
    """Writes one row and its audit row; leaves an equal row alone."""
    names = list(values)
    where = " OR ".join(f"{table}.{name} IS DISTINCT FROM excluded.{name}" for name in names[1:])
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))}) ON CONFLICT ({names[0]}) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        + f" WHERE {where} RETURNING (xmax = 0)",
        list(values.values()),
    )
    changed = cursor.fetchone()
    if changed:
        cursor.execute(AUDIT, (table, "INSERT" if changed[0] else "UPDATE", values[names[0]], json.dumps(values)))


def process(cursor, record):
    date = time.strptime(record["StudyDate_DICOM"], "%Y%m%d")
    labels = ast.literal_eval(record["Labels"] or "[]")
    birth = int(float(record["PatientBirth"])) if record["PatientBirth"] else None
    age = date.tm_year - birth if birth else None
    if age is not None and not 0 <= age <= 120:
        raise ValueError("age")
    day = time.strftime("%Y-%m-%d", date)
    patient, encounter = key("patient", record["PatientID"]), key("encounter", record["StudyID"])
    sex = record["PatientSex_DICOM"]
    sex = sex if sex in ("M", "F") else None
    upsert(cursor, "patients", {"patient_id": patient, "source_patient_id": record["PatientID"], "birth_year": birth, "sex": sex})
    upsert(cursor, "encounters", {"encounter_id": encounter, "patient_id": patient, "date": day, "patient_age": age})
    upsert(cursor, "procedures", {
        "procedure_id": key("procedure", record["ImageID"]), "encounter_id": encounter, "modality": record["Modality_DICOM"],
        "projection": record["Projection"], "view_position": record["ViewPosition_DICOM"], "pediatric": record["Pediatric"] == "PED",
        "manufacturer": record["Manufacturer_DICOM"], "image": record["ImageID"],
    })
    upsert(cursor, "reports", {"report_id": key("report", record["ReportID"]), "encounter_id": encounter, "language": "es", "text": record["Report"]})
    for label in {label.strip() for label in labels if isinstance(label, str) and label.strip()}:
        upsert(cursor, "diagnoses", {
            "diagnosis_id": key("diagnosis", record["StudyID"], label), "encounter_id": encounter, "code": label, "date": day,
            "asserted_by": record["MethodLabel"],
        })


def main(file, url):
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute(TABLES)
    start = time.perf_counter()
    stage(cursor, connection.commit, file)
    staged = time.perf_counter()
    rows = 0
    while True:
        cursor.execute("SELECT row_id, line, record FROM padchest_staging WHERE NOT processed ORDER BY row_id LIMIT 500")
        batch = cursor.fetchall()
        if not batch:
            break
        for row_id, line, record in batch:
            try:
                record["Labels"].encode()
                process(cursor, record)
            except (ValueError, SyntaxError) as error:
                cursor.execute("INSERT INTO quarantine VALUES (%s, %s, %s)", (line, type(error).__name__, json.dumps(record)))
            cursor.execute("UPDATE padchest_staging SET processed = true WHERE row_id = %s", (row_id,))
        connection.commit()
        rows += len(batch)
    end = time.perf_counter()
    print(json.dumps({"rows": rows, "stage_seconds": staged - start, "process_seconds": end - staged}))


if __name__ == "__main__":
    main(*sys.argv[1:])
