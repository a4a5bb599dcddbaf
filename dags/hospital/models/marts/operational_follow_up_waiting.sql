-- unique_key: department
-- tags: operational
SELECT
    department,
    count(*) AS follow_ups_required,
    count(days_to_next_in_department) AS seen_again,
    CAST(avg(CAST(days_to_next_in_department AS DECIMAL(9, 4))) AS DECIMAL(7, 1)) AS avg_waiting_days,
    max(days_to_next_in_department) AS longest_waiting_days
FROM silver.visit_history
WHERE follow_up_required
GROUP BY department
