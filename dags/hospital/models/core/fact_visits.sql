-- unique_key: visit_id
WITH costs AS (
    SELECT visit_id, count(*) AS num_treatments, sum(treatment_cost) AS total_cost
    FROM core.fact_treatments
    GROUP BY visit_id
)
SELECT
    v.visit_id,
    v.patient_id,
    v.doctor_id,
    v.department,
    v.visit_date,
    v.follow_up_required,
    coalesce(c.num_treatments, 0) AS num_treatments,
    CAST(coalesce(c.total_cost, 0) AS DECIMAL(18, 2)) AS total_cost
FROM core.dim_visits AS v
LEFT JOIN costs AS c ON c.visit_id = v.visit_id
