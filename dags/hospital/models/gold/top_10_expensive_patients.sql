-- unique_key: patient_id
WITH top AS (
    SELECT patient_id, sum(total_cost) AS total_cost, sum(num_treatments) AS treatment_count
    FROM core.fact_visits
    WHERE num_treatments > 0
    GROUP BY patient_id
    ORDER BY total_cost DESC, patient_id
    LIMIT 10
)
SELECT
    row_number() OVER (ORDER BY t.total_cost DESC, t.patient_id) AS place,
    t.patient_id,
    p.patient_name,
    CAST(t.total_cost AS DECIMAL(18, 2)) AS total_cost,
    CAST(t.treatment_count AS BIGINT) AS treatment_count
FROM top AS t
JOIN core.dim_patients AS p ON p.patient_id = t.patient_id
