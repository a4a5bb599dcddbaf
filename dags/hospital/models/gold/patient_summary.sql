-- unique_key: patient_id
WITH visits AS (
    SELECT
        patient_id,
        count(*) AS total_visits,
        sum(total_cost) AS total_cost,
        sum(num_treatments) AS num_treatments,
        count(*) FILTER (WHERE follow_up_required) AS follow_ups
    FROM core.fact_visits
    GROUP BY patient_id
)
SELECT
    p.patient_id,
    p.patient_name,
    coalesce(v.total_visits, 0) AS total_visits,
    CAST(coalesce(v.total_cost, 0) AS DECIMAL(18, 2)) AS total_cost,
    CAST(coalesce(v.num_treatments, 0) AS BIGINT) AS num_treatments,
    coalesce(v.follow_ups, 0) AS follow_ups
FROM core.dim_patients AS p
LEFT JOIN visits AS v ON v.patient_id = p.patient_id
