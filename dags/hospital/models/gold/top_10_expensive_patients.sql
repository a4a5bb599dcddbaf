-- unique_key: patient_id
WITH top AS (
    SELECT patient_id, patient_name, total_cost, num_treatments
    FROM gold.patient_summary
    WHERE num_treatments > 0
    ORDER BY total_cost DESC, patient_id
    LIMIT 10
)
SELECT
    row_number() OVER (ORDER BY total_cost DESC, patient_id) AS place,
    patient_id,
    patient_name,
    total_cost,
    num_treatments AS treatment_count
FROM top
