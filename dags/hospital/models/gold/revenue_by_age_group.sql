-- unique_key: age_group
SELECT
    CASE
        WHEN p.age BETWEEN 0 AND 17 THEN '0-17'
        WHEN p.age BETWEEN 18 AND 30 THEN '18-30'
        WHEN p.age BETWEEN 31 AND 50 THEN '31-50'
        WHEN p.age BETWEEN 51 AND 70 THEN '51-70'
        WHEN p.age >= 71 THEN '71+'
        ELSE 'Unknown'
    END AS age_group,
    CAST(sum(s.total_cost) AS DECIMAL(18, 2)) AS total_cost,
    CAST(sum(s.total_cost) / sum(s.num_treatments) AS DECIMAL(18, 2)) AS avg_cost
FROM gold.patient_summary AS s
LEFT JOIN core.dim_patients AS p ON p.patient_id = s.patient_id
WHERE s.num_treatments > 0
GROUP BY 1
