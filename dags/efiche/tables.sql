-- The operational tables of eFiche, one text for SQLite and PostgreSQL.
-- Keys are UUIDv5 of the source and its own identifier, so that loading again finds the same rows.
-- Unknown stays null: nothing is invented.
-- Foreign keys are checked when a transaction ends, which lets SQLite write many rows without a journal of each statement.

CREATE TABLE IF NOT EXISTS facilities (
    facility_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    source_facility_id TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT,
    city TEXT,
    region TEXT,
    country TEXT,
    phone TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- age: at the newest encounter known
CREATE TABLE IF NOT EXISTS patients (
    patient_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    source_patient_id TEXT NOT NULL,
    first_name TEXT,
    last_name TEXT,
    birth_year BIGINT CHECK (birth_year BETWEEN 1850 AND 2100),
    age BIGINT CHECK (age BETWEEN 0 AND 120),
    sex TEXT CHECK (sex IN ('F', 'M')),
    location TEXT,
    postcode TEXT,
    phone TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- encounter_date is null where the source has no dates; patient_age is the age then
CREATE TABLE IF NOT EXISTS encounters (
    encounter_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    source_encounter_id TEXT NOT NULL,
    patient_id TEXT NOT NULL REFERENCES patients (patient_id) DEFERRABLE INITIALLY DEFERRED,
    facility_id TEXT NOT NULL REFERENCES facilities (facility_id) DEFERRABLE INITIALLY DEFERRED,
    encounter_date DATE,
    patient_age BIGINT CHECK (patient_age BETWEEN 0 AND 120),
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    minutes BIGINT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS procedures (
    procedure_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    source_procedure_id TEXT NOT NULL,
    encounter_id TEXT NOT NULL REFERENCES encounters (encounter_id) DEFERRABLE INITIALLY DEFERRED,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    modality TEXT,
    projection TEXT,
    projection_method TEXT,
    view_position TEXT,
    pediatric BOOLEAN,
    manufacturer TEXT,
    photometric_interpretation TEXT,
    pixel_representation TEXT,
    pixel_aspect_ratio TEXT,
    pixel_spacing DOUBLE PRECISION,
    bits_stored BIGINT,
    window_center TEXT,
    window_width TEXT,
    pixel_rows BIGINT,
    pixel_columns BIGINT,
    tube_current DOUBLE PRECISION,
    exposure DOUBLE PRECISION,
    exposure_time DOUBLE PRECISION,
    relative_exposure DOUBLE PRECISION,
    dose DOUBLE PRECISION,
    note TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE IF NOT EXISTS diagnosis_codes (
    diagnosis_code_id TEXT PRIMARY KEY,
    code_system TEXT NOT NULL,
    code TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- label: the finding in the source's own words
CREATE TABLE IF NOT EXISTS diagnoses (
    diagnosis_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    encounter_id TEXT NOT NULL REFERENCES encounters (encounter_id) DEFERRABLE INITIALLY DEFERRED,
    diagnosis_code_id TEXT NOT NULL REFERENCES diagnosis_codes (diagnosis_code_id) DEFERRABLE INITIALLY DEFERRED,
    label TEXT NOT NULL,
    diagnosis_date DATE,
    is_primary BOOLEAN NOT NULL,
    asserted_by TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- lists are JSON; text_embedding is for later
CREATE TABLE IF NOT EXISTS reports (
    report_id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    source_report_id TEXT NOT NULL,
    encounter_id TEXT NOT NULL REFERENCES encounters (encounter_id) DEFERRABLE INITIALLY DEFERRED,
    type TEXT NOT NULL,
    text TEXT,
    language TEXT,
    localizations TEXT,
    labels_by_sentence TEXT,
    label_cuis TEXT,
    localization_cuis TEXT,
    text_embedding TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
