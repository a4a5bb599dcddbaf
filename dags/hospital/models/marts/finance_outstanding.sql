-- unique_key: [department, insurance_provider]
-- tags: finance
SELECT
    department,
    insurance_provider,
    CAST(sum(treatment_cost) AS DECIMAL(18, 2)) AS billed,
    CAST(sum(amount_paid) AS DECIMAL(18, 2)) AS paid,
    CAST(sum(treatment_cost - amount_paid) AS DECIMAL(18, 2)) AS outstanding,
    count(*) FILTER (WHERE treatment_cost > amount_paid) AS open_treatments,
    min(visit_date) FILTER (WHERE treatment_cost > amount_paid) AS oldest_open,
    CAST(sum(treatment_cost - amount_paid) / nullif(sum(treatment_cost), 0) AS DECIMAL(5, 4)) AS outstanding_rate
FROM silver.treatment_lines
GROUP BY department, insurance_provider
