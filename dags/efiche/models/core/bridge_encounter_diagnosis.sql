-- {materialized: incremental, unique_key: diagnosis_id}
SELECT
    d.diagnosis_id,
    d.source,
    coalesce(f.encounter_key, 0) AS encounter_key,
    coalesce(k.diagnosis_key, 0) AS diagnosis_key,
    d.label,
    d.is_primary,
    coalesce(d.asserted_by, 'Unknown') AS asserted_by,
    CAST(1.0 / coalesce(f.num_diagnoses, 1) AS DECIMAL(13, 12)) AS weight
FROM op.diagnoses AS d
LEFT JOIN core.fact_encounters AS f ON f.encounter_id = d.encounter_id
LEFT JOIN core.dim_diagnosis AS k ON k.diagnosis_code_id = d.diagnosis_code_id
