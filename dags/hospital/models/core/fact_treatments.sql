-- unique_key: treatment_id
-- zorder_by: treatment_type
SELECT treatment_id, visit_id, treatment_type, treatment_cost, insurance_provider
FROM silver.treatment_lines
