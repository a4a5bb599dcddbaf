-- unique_key: patient_id
WITH costs AS (
    SELECT v.patient_id, sum(t.treatment_cost) AS total_cost, count(*) AS treatment_count
    FROM core.fact_treatments AS t
    JOIN core.dim_visits AS v ON v.visit_id = t.visit_id
    GROUP BY v.patient_id
),
ranked AS (
    SELECT *, row_number() OVER (ORDER BY total_cost DESC, patient_id) AS place
    FROM costs
),
top AS (SELECT * FROM ranked WHERE place <= 10)
SELECT
    r.place,
    r.patient_id,
    p.patient_name,
    CAST(r.total_cost AS DECIMAL(18, 2)) AS total_cost,
    r.treatment_count
FROM top AS r
JOIN core.dim_patients AS p ON p.patient_id = r.patient_id
