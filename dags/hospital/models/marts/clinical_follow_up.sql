-- unique_key: department
-- tags: clinical
WITH kept AS (
    SELECT department, count(*) FILTER (WHERE days_to_next_in_department <= 90) AS count
    FROM silver.visit_history
    WHERE follow_up_required
    GROUP BY department
)
SELECT
    g.department,
    g.count AS follow_ups_required,
    g.follow_up_rate,
    coalesce(k.count, 0) AS follow_ups_kept,
    CAST(CAST(k.count AS DECIMAL(18, 4)) / nullif(g.count, 0) AS DECIMAL(5, 4)) AS kept_rate
FROM gold.follow_up_summary AS g
LEFT JOIN kept AS k ON k.department = g.department
