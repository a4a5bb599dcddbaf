-- unique_key: [source, age_group, diagnosis_key]
SELECT
    b.source,
    p.age_group,
    b.diagnosis_key,
    k.code,
    k.code_system,
    k.description,
    count(*) AS diagnoses,
    count(DISTINCT b.encounter_key) AS encounters,
    count(DISTINCT f.patient_key) AS patients,
    CAST(sum(b.weight) AS DECIMAL(18, 6)) AS weighted_encounters
FROM core.bridge_encounter_diagnosis AS b
LEFT JOIN core.fact_encounters AS f ON f.encounter_key = b.encounter_key
LEFT JOIN core.dim_patient AS p ON p.patient_key = f.patient_key AND p.is_current
LEFT JOIN core.dim_diagnosis AS k ON k.diagnosis_key = b.diagnosis_key
GROUP BY b.source, p.age_group, b.diagnosis_key, k.code, k.code_system, k.description
