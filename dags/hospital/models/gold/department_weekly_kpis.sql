-- unique_key: [department, iso_year, iso_week]
SELECT
    v.department,
    CAST(date_part('isoyear', v.visit_date) AS INT) AS iso_year,
    CAST(date_part('week', v.visit_date) AS INT) AS iso_week,
    CAST(sum(t.treatment_cost) AS DECIMAL(18, 2)) AS total_cost,
    CAST(avg(t.treatment_cost) AS DECIMAL(18, 2)) AS avg_cost,
    count(*) AS treatments
FROM core.fact_treatments AS t
JOIN core.dim_visits AS v ON v.visit_id = t.visit_id
GROUP BY 1, 2, 3
