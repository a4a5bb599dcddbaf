-- unique_key: age_group
-- tags: finance
SELECT
    age_group,
    total_cost AS revenue,
    CAST(100 * total_cost / nullif(sum(total_cost) OVER (), 0) AS DECIMAL(7, 4)) AS revenue_pct,
    avg_cost
FROM gold.revenue_by_age_group
