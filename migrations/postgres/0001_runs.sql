-- Run metadata: DAG versions, runs, task instances, tries, events, leases, backfills.
-- Its twin is ../sqlite/0001_runs.sql; a test holds the two against each other.

CREATE TABLE files (
    digest TEXT NOT NULL PRIMARY KEY,
    content TEXT NOT NULL
);

CREATE TABLE versions (
    version TEXT NOT NULL PRIMARY KEY,
    dag_id TEXT NOT NULL,
    definition TEXT NOT NULL,
    registered_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE version_files (
    version TEXT NOT NULL REFERENCES versions (version),
    path TEXT NOT NULL,
    digest TEXT NOT NULL REFERENCES files (digest),
    PRIMARY KEY (version, path)
);

CREATE TABLE dags (
    dag_id TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL REFERENCES versions (version),
    paused BOOLEAN NOT NULL,
    registered_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    dag_id TEXT NOT NULL,
    version TEXT NOT NULL REFERENCES versions (version),
    kind TEXT NOT NULL CHECK (kind IN ('scheduled', 'manual', 'backfill')),
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'success', 'failed', 'cancelled')),
    interval_start TIMESTAMPTZ NOT NULL,
    interval_end TIMESTAMPTZ NOT NULL,
    params TEXT NOT NULL,
    backfill_id TEXT,
    attempt BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    reason TEXT
);
CREATE INDEX runs_by_age ON runs (created_at, interval_start, run_id);
CREATE INDEX runs_by_dag ON runs (dag_id, created_at, interval_start, run_id);
CREATE INDEX runs_by_dag_and_state ON runs (dag_id, state, created_at, interval_start, run_id);
CREATE INDEX runs_by_interval ON runs (dag_id, interval_start);
CREATE INDEX runs_by_kind ON runs (dag_id, kind, interval_start);
CREATE INDEX runs_by_state ON runs (state, created_at, interval_start, run_id);
CREATE INDEX runs_by_backfill ON runs (backfill_id, interval_start) WHERE backfill_id IS NOT NULL;

CREATE TABLE tasks (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    task_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('none', 'scheduled', 'queued', 'running', 'success', 'failed', 'up_for_retry', 'upstream_failed', 'skipped', 'deferred', 'removed')),
    try_number BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    next_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    owner TEXT,
    counts TEXT,
    tables TEXT,
    outputs TEXT,
    error TEXT,
    hint TEXT,
    PRIMARY KEY (run_id, task_id)
);

CREATE TABLE tries (
    run_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    try_number BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'success', 'failed', 'interrupted', 'deferred', 'skipped', 'cancelled')),
    owner TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    error TEXT,
    PRIMARY KEY (run_id, task_id, try_number)
);

CREATE TABLE events (
    seq BIGINT NOT NULL PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    dag_id TEXT,
    run_id TEXT,
    task_id TEXT,
    name TEXT NOT NULL,
    data TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX events_by_dag ON events (dag_id, seq);
CREATE INDEX events_by_run ON events (run_id, seq);

-- Last event of the chain; its one row is what the door locks.
CREATE TABLE event_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO event_head (id, seq, hash) VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE backfills (
    backfill_id TEXT NOT NULL PRIMARY KEY,
    dag_id TEXT NOT NULL,
    starts_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    options TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'paused', 'done')),
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX backfills_by_dag ON backfills (dag_id, starts_at);
CREATE INDEX backfills_by_state ON backfills (state, created_at);

CREATE TABLE backfill_dates (
    backfill_id TEXT NOT NULL REFERENCES backfills (backfill_id),
    interval_start TIMESTAMPTZ NOT NULL,
    run_id TEXT,
    outcome TEXT,
    PRIMARY KEY (backfill_id, interval_start)
);
