-- unique_key: visit_id
SELECT visit_id, patient_id, doctor_id, department, visit_date, follow_up_required
FROM silver.visit_history
