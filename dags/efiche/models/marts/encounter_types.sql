-- unique_key: [source, encounter_type]
SELECT
    source,
    encounter_type,
    count(*) AS encounters,
    count(DISTINCT patient_key) AS patients,
    round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY source), 2) AS percentage
FROM core.fact_encounters
GROUP BY source, encounter_type
