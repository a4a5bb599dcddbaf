-- unique_key: [iso_year, iso_week]
SELECT
    CAST(date_part('isoyear', visit_date) AS INT) AS iso_year,
    CAST(date_part('week', visit_date) AS INT) AS iso_week,
    count(*) AS num_visits,
    count(DISTINCT patient_id) AS patients,
    CAST(sum(num_treatments) AS BIGINT) AS treatments,
    CAST(sum(total_cost) AS DECIMAL(18, 2)) AS total_cost
FROM core.fact_visits
GROUP BY 1, 2
