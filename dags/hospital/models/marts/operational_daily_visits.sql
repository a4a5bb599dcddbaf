-- unique_key: [visit_date, department]
-- tags: operational
SELECT
    visit_date,
    department,
    count(*) AS visits,
    count(DISTINCT patient_id) AS patients,
    count(DISTINCT doctor_id) AS doctors,
    CAST(sum(minutes) AS BIGINT) AS minutes
FROM silver.visit_history
GROUP BY visit_date, department
