-- unique_key: doctor_id
SELECT
    d.doctor_id,
    d.doctor_name,
    d.department,
    CAST(coalesce(sum(t.treatment_cost), 0) AS DECIMAL(18, 2)) AS total_cost,
    count(t.treatment_id) AS num_treatments,
    CAST(avg(t.treatment_cost) AS DECIMAL(18, 2)) AS avg_cost,
    count(DISTINCT v.visit_id) AS num_visits
FROM core.dim_doctors AS d
LEFT JOIN core.dim_visits AS v ON v.doctor_id = d.doctor_id
LEFT JOIN core.fact_treatments AS t ON t.visit_id = v.visit_id
GROUP BY d.doctor_id, d.doctor_name, d.department
