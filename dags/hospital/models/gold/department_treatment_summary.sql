-- unique_key: department
SELECT
    department,
    CAST(sum(num_treatments) AS BIGINT) AS total_treatments,
    CAST(sum(total_cost) AS DECIMAL(18, 2)) AS total_cost,
    CAST(sum(total_cost) / sum(num_treatments) AS DECIMAL(18, 2)) AS avg_cost,
    count(DISTINCT patient_id) AS patients,
    count(DISTINCT doctor_id) AS doctors
FROM core.fact_visits
WHERE num_treatments > 0
GROUP BY department
