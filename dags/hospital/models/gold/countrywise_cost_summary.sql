-- unique_key: country
SELECT
    p.country,
    CAST(coalesce(sum(t.treatment_cost), 0) AS DECIMAL(18, 2)) AS total_cost,
    CAST(avg(t.treatment_cost) AS DECIMAL(18, 2)) AS avg_cost,
    count(DISTINCT v.visit_id) AS visits
FROM core.dim_patients AS p
LEFT JOIN core.dim_visits AS v ON v.patient_id = p.patient_id
LEFT JOIN core.fact_treatments AS t ON t.visit_id = v.visit_id
GROUP BY p.country
