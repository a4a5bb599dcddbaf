"""What hashed keys cost SQLite as tables grow, without Galen: five tables with a UUID in text as their key, ROWS rows each, and then
RECORDS more rows in each, in groups sorted by key, a group or 4,000 records a transaction; the page cache is as large as Galen's.

    python3 hashed_keys.py [ROWS ...]        default: 100000 2000000

A load of 16,000 records a second has 62 µs for a record, with everything else that is to be done for it.
"""

import os
import random
import sqlite3
import sys
import threading
import time
import uuid

from measure import home, report

TABLES = "abcde"
CACHE_KIB = 32 * 1024
TRANSACTION = 4_000
CHECKPOINT_AFTER = 4  # transactions
ROW = "x" * 250


def keys(count, seed):
    chance = random.Random(seed)
    return [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(count)]


def connect(path, page):
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in (
        f"page_size={page}",
        "journal_mode=wal",
        "synchronous=normal",
        f"cache_size=-{CACHE_KIB}",
        f"wal_autocheckpoint={(512 << 20) // page}",
    ):
        db.execute(f"PRAGMA {pragma}").fetchall()
    return db


def fill(db, rows):
    """In two passes, each in order: quick, and pages end up as full as random keys leave them."""
    for table in TABLES:
        db.execute(f"CREATE TABLE {table} (id TEXT PRIMARY KEY, row TEXT)")
        ids = sorted(keys(rows, table))
        for half in (ids[::2], ids[1::2]):
            db.execute("BEGIN")
            db.executemany(f"INSERT INTO {table} VALUES (?, ?)", ((key, ROW) for key in half))
            db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def insert(db, copy, group, records, seed):
    """Seconds for `records` rows in each table; `copy` is told now and then, to copy the WAL beside the writer."""
    batches = []
    new = {table: keys(records, f"{seed}{table}") for table in TABLES}
    for start in range(0, records, group):
        batches.append({table: sorted(new[table][start : start + group]) for table in TABLES})
    began = time.monotonic()
    done = transactions = 0
    for batch in batches:
        if done % max(group, TRANSACTION) == 0:
            db.execute("BEGIN IMMEDIATE")
        for table, ids in batch.items():
            db.executemany(f"INSERT INTO {table} VALUES (?, ?)", [(key, ROW) for key in ids])
        done += group
        if done % max(group, TRANSACTION) == 0:
            db.execute("COMMIT")
            transactions += 1
            if transactions % CHECKPOINT_AFTER == 0:
                copy.set()
    return time.monotonic() - began


def main(sizes):
    for rows in sizes:
        for page in (4_096, 8_192):
            with home({}) as folder:
                path = os.path.join(folder, "keys.db")
                db = connect(path, page)
                fill(db, rows)
                copy, over = threading.Event(), threading.Event()

                def checkpoint():
                    beside = connect(path, page)
                    while not over.is_set():
                        copy.wait(1)
                        copy.clear()
                        beside.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

                thread = threading.Thread(target=checkpoint)
                thread.start()
                for group, records in ((500, 20_000), (4_000, 40_000), (64_000, 128_000)):
                    seconds = insert(db, copy, group, records, group)
                    report(
                        f"{rows:,} rows a table, pages of {page}, groups of {group:,}",
                        f"{seconds / records * 1e6:.0f} µs a record of 5 rows",
                        "≤ 62 µs",
                    )
                over.set()
                copy.set()
                thread.join()
                db.close()


if __name__ == "__main__":
    sys.exit(main([int(rows) for rows in sys.argv[1:]] or [100_000, 2_000_000]))
