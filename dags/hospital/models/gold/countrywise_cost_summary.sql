-- unique_key: country
SELECT
    p.country,
    CAST(coalesce(sum(s.total_cost), 0) AS DECIMAL(18, 2)) AS total_cost,
    CAST(sum(s.total_cost) / nullif(sum(s.num_treatments), 0) AS DECIMAL(18, 2)) AS avg_cost,
    CAST(coalesce(sum(s.total_visits), 0) AS BIGINT) AS visits
FROM core.dim_patients AS p
LEFT JOIN gold.patient_summary AS s ON s.patient_id = p.patient_id
GROUP BY p.country
