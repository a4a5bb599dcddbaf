-- unique_key: [iso_year, iso_week]
WITH costs AS (
    SELECT visit_id, sum(treatment_cost) AS cost, count(*) AS treatments
    FROM core.fact_treatments
    GROUP BY visit_id
)
SELECT
    CAST(date_part('isoyear', v.visit_date) AS INT) AS iso_year,
    CAST(date_part('week', v.visit_date) AS INT) AS iso_week,
    count(*) AS num_visits,
    count(DISTINCT v.patient_id) AS patients,
    CAST(coalesce(sum(c.treatments), 0) AS BIGINT) AS treatments,
    CAST(coalesce(sum(c.cost), 0) AS DECIMAL(18, 2)) AS total_cost
FROM core.dim_visits AS v
LEFT JOIN costs AS c ON c.visit_id = v.visit_id
GROUP BY 1, 2
