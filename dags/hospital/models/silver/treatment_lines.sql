-- unique_key: treatment_id
SELECT
    t.treatment_id,
    t.visit_id,
    v.visit_date,
    v.department,
    v.doctor_id,
    v.patient_id,
    p.country,
    t.treatment_type,
    CAST(t.treatment_cost AS DECIMAL(12, 2)) AS treatment_cost,
    CAST(coalesce(t.amount_paid, 0) AS DECIMAL(12, 2)) AS amount_paid,
    coalesce(t.insurance_provider, 'Self-pay') AS insurance_provider
FROM silver.treatments AS t
JOIN silver.visits AS v ON v.visit_id = t.visit_id
JOIN silver.patients AS p ON p.patient_id = v.patient_id
