-- unique_key: department
SELECT
    v.department,
    count(*) AS total_treatments,
    CAST(sum(t.treatment_cost) AS DECIMAL(18, 2)) AS total_cost,
    CAST(avg(t.treatment_cost) AS DECIMAL(18, 2)) AS avg_cost,
    count(DISTINCT v.patient_id) AS patients,
    count(DISTINCT v.doctor_id) AS doctors
FROM core.fact_treatments AS t
JOIN core.dim_visits AS v ON v.visit_id = t.visit_id
GROUP BY v.department
