-- unique_key: doctor_id
SELECT
    d.doctor_id,
    d.doctor_name,
    d.department,
    CAST(coalesce(sum(v.total_cost), 0) AS DECIMAL(18, 2)) AS total_cost,
    CAST(coalesce(sum(v.num_treatments), 0) AS BIGINT) AS num_treatments,
    CAST(sum(v.total_cost) / nullif(sum(v.num_treatments), 0) AS DECIMAL(18, 2)) AS avg_cost,
    count(v.visit_id) AS num_visits
FROM core.dim_doctors AS d
LEFT JOIN core.fact_visits AS v ON v.doctor_id = d.doctor_id
GROUP BY d.doctor_id, d.doctor_name, d.department
