"""Works out the gold tables of a pipeline of rule tables without Galen: python3 gold.py CONFIGS DATA corrected|source

Standard library only. Prints for each table what its jobs read and left, and the SHA-256 of its rows as `galen export` writes them, lines sorted.
It knows the words of the original five files and no others."""
import csv
import hashlib
import json
import re
import sys
from datetime import datetime
from pathlib import Path

configs, data, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]


def sheet(name):
    with open(configs / name, newline="") as file:
        return [row for row in csv.DictReader(file) if row["is_active"] == "Y"]


CLEANSING, MAPPINGS, QUALITY, JOBS = (
    sheet(name + ".csv") for name in ("cleansing_rules", "ref_data", "dq_rule_config", "main_pipeline_config")
)


def cleanse(kind, text):
    if text is None:
        return None
    if kind == "trim":
        return text.strip(" ") if mode == "source" else text.strip()
    if kind == "upper":
        return text.upper()
    if kind == "lower":
        return text.lower()
    if kind == "initcap":
        return " ".join(word[:1].upper() + word[1:].lower() for word in text.split(" "))
    if kind == "nullify":
        return text or None
    if kind == "remove_spcl_charcs":
        return re.sub(r"[^A-Za-z0-9\s]" if mode == "source" else r"[^\w\s]|_", "", text)
    if kind == "date_format:yyyy-MM-dd":
        return datetime.strptime(text, "%Y-%m-%d").date().isoformat()
    raise SystemExit(f"unknown cleansing rule {kind}")


def standard(values, text):
    if text is None:
        return None
    if text in values:
        return values[text]
    if "__NEGATIVE__" in values and re.fullmatch(r"-\d+", text):
        return values["__NEGATIVE__"]
    if values.get("__TRIGGER__") == "__STD_PHONE_LOGIC__":
        number = text if mode == "source" else re.sub(r"\s*(x|ext\.?)\s*\d+$", "", text)
        return re.sub(r"\D", "", number)[-10:]
    return text


def breaks(rule, row):
    kind, condition, text = rule["rule_type"], rule["rule_condition"], row.get(rule["column_name"])
    if kind == "NOT_NULL":
        return text is None or text == ""
    if text is None:
        return False
    if kind == "REGEX":
        return not re.search(condition, text)
    if kind == "VALID_SET":
        return text not in [part.strip() for part in condition.split(",")]
    if (kind, condition) == ("CUSTOM_EXPR", "delay_days >= 0"):
        return int(text) < 0
    raise SystemExit(f"unknown quality rule {kind} {condition}")


def job(kind, column, table):
    return next(job for job in JOBS if job["job_typ"] == kind and job[column] == table)


def columns_of(job):
    return [name.strip() for name in job["ref_table"].split(",")]


def later(rows, key, nulls_are_equal):
    """Of rows with equal keys the one that comes last, in the order of the last ones."""
    kept = {}
    for number, row in enumerate(rows):
        values = tuple(row[name] for name in key)
        if None in values and not nulls_are_equal:
            values = number
        kept.pop(values, None)
        kept[values] = row
    return list(kept.values())


def cell(text):
    if text is None:
        return ""
    if text == "" or any(c in text for c in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


for source in sheet("pipeline_config.csv"):
    table, path = source["table_name"], data / Path(source["file_path"]).name
    if source["file_format"] == "csv":
        with open(path, newline="") as file:
            rows = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
    else:
        records = json.loads(path.read_text())
        rows = [{k: v if v is None or isinstance(v, str) else json.dumps(v) for k, v in r.items()} for r in records]
    names = list(rows[0])
    read = len(rows)
    steps = sorted((r for r in CLEANSING if r["table_name"] == table), key=lambda r: int(r["seq_no"]))
    for row in rows:
        for step in steps:
            row[step["column_name"]] = cleanse(step["cleanse_type"], row[step["column_name"]])
    at = job("cleanse", "source", table)["target"]
    for name in names:
        values = {r["actual_value"]: r["std_value"] for r in MAPPINGS if (r["table_name"], r["column_name"]) == (at, name)}
        for row in rows:
            row[name] = standard(values, row[name])
    at = job("std", "source", at)["target"]
    rules = [rule for rule in QUALITY if rule["table_name"] == at]
    passed = [row for row in rows if not any(breaks(rule, row) for rule in rules)]
    quarantined = read - len(passed)
    distinct = list({tuple(row.items()): row for row in reversed(passed)}.values())[::-1]
    stage = job("stage", "source", job("dq", "source", at)["target"])
    staged = later(distinct, columns_of(stage), False)
    ingest = job("ingest", "source", stage["target"])
    merged = later(staged, columns_of(ingest), False)
    same = columns_of(job("dedup", "target", ingest["target"]))
    identity = columns_of(ingest)
    if mode == "corrected" and any(name in same for name in identity):
        same += [name for name in identity if name not in same]
    gold = later(merged, same, True)
    lines = sorted(",".join(cell(row[name]) for name in names) for row in gold)
    text = "\n".join([",".join(names), *lines]) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    print(f'{ingest["target"]} {read} {quarantined} {len(staged)} {len(gold)} {digest}')
