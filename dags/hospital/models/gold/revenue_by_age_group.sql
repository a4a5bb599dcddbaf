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
    CAST(sum(t.treatment_cost) AS DECIMAL(18, 2)) AS total_cost,
    CAST(avg(t.treatment_cost) AS DECIMAL(18, 2)) AS avg_cost
FROM core.fact_treatments AS t
JOIN core.dim_visits AS v ON v.visit_id = t.visit_id
JOIN core.dim_patients AS p ON p.patient_id = v.patient_id
GROUP BY 1
