-- unique_key: [source, year_month, procedure_key]
SELECT
    b.source,
    d.year_month,
    b.procedure_key,
    k.name,
    k.modality,
    k.projection,
    count(*) AS procedures,
    count(DISTINCT b.encounter_key) AS encounters,
    count(DISTINCT f.patient_key) AS patients
FROM core.bridge_encounter_procedure AS b
LEFT JOIN core.fact_encounters AS f ON f.encounter_key = b.encounter_key
LEFT JOIN core.dim_procedure AS k ON k.procedure_key = b.procedure_key
LEFT JOIN core.dim_date AS d ON d.date_key = f.date_key
GROUP BY b.source, d.year_month, b.procedure_key, k.name, k.modality, k.projection
