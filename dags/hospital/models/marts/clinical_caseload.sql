-- unique_key: department
-- tags: clinical
SELECT
    department,
    count(*) AS visits,
    count(DISTINCT patient_id) AS patients,
    CAST(CAST(count(*) AS DECIMAL(18, 0)) / count(DISTINCT patient_id) AS DECIMAL(9, 2)) AS visits_per_patient,
    CAST(avg(CAST(age_at_visit AS DECIMAL(9, 4))) AS DECIMAL(5, 1)) AS avg_age
FROM silver.visit_history
GROUP BY department
