-- unique_key: patient_id
WITH costs AS (
    SELECT visit_id, sum(treatment_cost) AS cost, count(*) AS treatments
    FROM core.fact_treatments
    GROUP BY visit_id
)
SELECT
    p.patient_id,
    p.patient_name,
    count(v.visit_id) AS total_visits,
    CAST(coalesce(sum(c.cost), 0) AS DECIMAL(18, 2)) AS total_cost,
    CAST(coalesce(sum(c.treatments), 0) AS BIGINT) AS num_treatments,
    count(v.visit_id) FILTER (WHERE v.follow_up_required) AS follow_ups
FROM core.dim_patients AS p
LEFT JOIN core.dim_visits AS v ON v.patient_id = p.patient_id
LEFT JOIN costs AS c ON c.visit_id = v.visit_id
GROUP BY p.patient_id, p.patient_name
