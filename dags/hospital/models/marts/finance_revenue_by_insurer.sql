-- unique_key: insurance_provider
-- tags: finance
SELECT
    insurance_provider,
    total_cost AS revenue,
    CAST(100 * total_cost / nullif(sum(total_cost) OVER (), 0) AS DECIMAL(7, 4)) AS revenue_pct,
    avg_cost,
    coverage_rate
FROM gold.insurance_summary
