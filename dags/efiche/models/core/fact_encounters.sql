-- {materialized: incremental, unique_key: encounter_id}
WITH procedures AS (
    SELECT encounter_id, count(*) AS n FROM op.procedures GROUP BY encounter_id
),
diagnoses AS (
    SELECT encounter_id, count(*) AS n FROM op.diagnoses GROUP BY encounter_id
),
reports AS (
    SELECT DISTINCT encounter_id FROM op.reports
)
SELECT
    CAST(translate(substr(md5(e.encounter_id), 1, 18), 'abcdef', '012345') AS BIGINT) AS encounter_key,
    e.encounter_id,
    e.source,
    e.source_encounter_id,
    coalesce(p.patient_key, 0) AS patient_key,
    coalesce(f.facility_key, 0) AS facility_key,
    coalesce(d.date_key, 0) AS date_key,
    e.type AS encounter_type,
    e.status,
    e.patient_age,
    e.minutes,
    coalesce(procedures.n, 0) AS num_procedures,
    coalesce(diagnoses.n, 0) AS num_diagnoses,
    reports.encounter_id IS NOT NULL AS has_report
FROM op.encounters AS e
LEFT JOIN core.dim_patient AS p ON p.patient_id = e.patient_id AND p.is_current
LEFT JOIN core.dim_facility AS f ON f.facility_id = e.facility_id
LEFT JOIN core.dim_date AS d ON d.day = e.encounter_date
LEFT JOIN procedures ON procedures.encounter_id = e.encounter_id
LEFT JOIN diagnoses ON diagnoses.encounter_id = e.encounter_id
LEFT JOIN reports ON reports.encounter_id = e.encounter_id
