-- unique_key: country
SELECT
    p.country,
    CAST(coalesce(sum(v.total_cost), 0) AS DECIMAL(18, 2)) AS total_cost,
    CAST(sum(v.total_cost) / nullif(sum(v.num_treatments), 0) AS DECIMAL(18, 2)) AS avg_cost,
    count(v.visit_id) AS visits
FROM core.dim_patients AS p
LEFT JOIN core.fact_visits AS v ON v.patient_id = p.patient_id
GROUP BY p.country
