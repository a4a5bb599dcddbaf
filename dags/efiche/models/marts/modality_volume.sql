-- unique_key: [source, modality]
SELECT
    b.source,
    k.modality,
    count(*) AS procedures,
    count(DISTINCT f.patient_key) AS patients,
    round(CAST(count(*) AS DOUBLE) / count(DISTINCT f.patient_key), 4) AS procedures_per_patient
FROM core.bridge_encounter_procedure AS b
LEFT JOIN core.fact_encounters AS f ON f.encounter_key = b.encounter_key
LEFT JOIN core.dim_procedure AS k ON k.procedure_key = b.procedure_key
GROUP BY b.source, k.modality
