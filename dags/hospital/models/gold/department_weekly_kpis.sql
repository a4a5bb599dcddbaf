-- unique_key: [department, iso_year, iso_week]
SELECT
    department,
    CAST(date_part('isoyear', visit_date) AS INT) AS iso_year,
    CAST(date_part('week', visit_date) AS INT) AS iso_week,
    CAST(sum(total_cost) AS DECIMAL(18, 2)) AS total_cost,
    CAST(sum(total_cost) / sum(num_treatments) AS DECIMAL(18, 2)) AS avg_cost,
    CAST(sum(num_treatments) AS BIGINT) AS treatments
FROM core.fact_visits
WHERE num_treatments > 0
GROUP BY 1, 2, 3
