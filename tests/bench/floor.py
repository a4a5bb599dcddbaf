"""What bounds a load on SQLite (part H.3): the rows that Galen wrote, written again by the least that can write them.

Python's sqlite3 (prepared statements, C loops) puts the same rows into the same tables, with the same keys, indexes, foreign keys and row
audit, in the same batches, eight to a transaction. It reads no file, shapes nothing, looks nothing up and hashes nothing.

    python3 floor.py [ROWS]        default: 50000
"""

import json
import os
import shutil
import sqlite3
import sys
import time

from load import EFICHE, generate
from measure import home, report, run

TABLES = ["facilities", "patients", "encounters", "procedures", "diagnosis_codes", "diagnoses", "reports"]
STATE = "_padchest_staging_state"
BATCHES = 8  # of one transaction
PRAGMAS = ["page_size = 8192", "journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "cache_size = -32768", "wal_autocheckpoint = 65536"]


def rows_of(connection, table):
    cursor = connection.execute(f"SELECT * FROM {table}")
    return [column[0] for column in cursor.description], cursor.fetchall()


def insert(connection, table, rows):
    if rows:
        connection.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)


def by_batch(source):
    """For each batch the rows of each table that it made, its changes, and the staged records it marked."""
    batches, made = dict(), dict()
    for row in source.execute("SELECT id, batch, table_name, changes FROM _changes"):
        batches.setdefault(row[1], {}).setdefault("_changes", []).append(row)
        inserted = (change[0] for change in json.loads(row[3]) if len(change) == 2)
        made.update({(row[2], key): row[1] for key in inserted})
    for table in TABLES:
        for row in rows_of(source, table)[1]:
            batches[made[table, row[0]]].setdefault(table, []).append(row)
    for row_id, batch in source.execute(f"SELECT _row_id, _batch_id FROM {STATE}"):
        batches.setdefault(batch, {}).setdefault(STATE, []).append((batch, row_id))
    return [batches[number] for number in sorted(batches)]


def empty_copy(source, path):
    """The same tables and indexes, and the state of the staged records as it was before."""
    copy = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        copy.execute(f"PRAGMA {pragma}").fetchall()
    for (sql,) in source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('table', 'index') ORDER BY type DESC"):
        copy.execute(sql)
    copy.execute("BEGIN")
    insert(copy, STATE, [(row[0], False, None) for row in rows_of(source, STATE)[1]])
    copy.execute("COMMIT")
    copy.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return copy


def replay(copy, batches):
    written = 0
    start = time.perf_counter()
    for number, batch in enumerate(batches):
        if number % BATCHES == 0:
            copy.execute("BEGIN IMMEDIATE")
        for table in [*TABLES, "_changes"]:
            insert(copy, table, sorted(batch.get(table, [])))
        copy.executemany(f"UPDATE {STATE} SET _processed = TRUE, _batch_id = ? WHERE _row_id = ?", batch[STATE])
        if number % BATCHES == BATCHES - 1 or number == len(batches) - 1:
            copy.execute("COMMIT")
        written += sum(len(rows) for rows in batch.values())
    return time.perf_counter() - start, written


def main(rows):
    with home({"efiche": EFICHE}) as folder:
        data = os.path.join(folder, "data_sample", "padchest")
        os.makedirs(data)
        shutil.move(generate(folder, rows), data)
        task = ["run", "efiche", "--param", "max_rows=0", "--date", "2026-01-01", "--task"]
        run([*task, "stage_padchest"], folder)
        loaded = run([*task, "load_padchest"], folder)
        source = sqlite3.connect(os.path.join(folder, "state", "records", "efiche.db"))
        batches = by_batch(source)
        seconds, written = replay(empty_copy(source, os.path.join(folder, "floor.db")), batches)
    report(f"load_padchest alone, {rows:,} rows, SQLite", f"{loaded.seconds:.2f} s, {rows / loaded.seconds:,.0f} file rows/s")
    report(
        "the same rows in the same batches, nothing else",
        f"{seconds:.2f} s, {rows / seconds:,.0f} file rows/s, {written / seconds:,.0f} table rows/s; Galen takes {loaded.seconds / seconds:.2f} times as long",
    )


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
