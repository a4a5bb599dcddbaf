-- unique_key: department
-- tags: finance
SELECT
    department,
    total_cost AS revenue,
    CAST(100 * total_cost / nullif(sum(total_cost) OVER (), 0) AS DECIMAL(7, 4)) AS revenue_pct,
    avg_cost,
    total_treatments AS treatments,
    patients
FROM gold.department_treatment_summary
