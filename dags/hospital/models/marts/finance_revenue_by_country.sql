-- unique_key: country
-- tags: finance
SELECT
    country,
    total_cost AS revenue,
    CAST(100 * total_cost / nullif(sum(total_cost) OVER (), 0) AS DECIMAL(7, 4)) AS revenue_pct,
    avg_cost,
    visits
FROM gold.countrywise_cost_summary
