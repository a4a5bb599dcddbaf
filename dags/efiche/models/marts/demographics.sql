-- unique_key: [source, age_group, sex]
SELECT
    source,
    age_group,
    sex,
    count(*) AS patients,
    round(100.0 * count(*) / sum(count(*)) OVER (PARTITION BY source), 2) AS percentage
FROM core.dim_patient
WHERE is_current AND patient_key <> 0
GROUP BY source, age_group, sex
