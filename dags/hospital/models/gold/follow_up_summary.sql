-- unique_key: department
SELECT
    department,
    CAST(avg(CAST(CAST(follow_up_required AS INT) AS DECIMAL(9, 4))) AS DECIMAL(5, 4)) AS follow_up_rate,
    count(*) FILTER (WHERE follow_up_required) AS count
FROM core.dim_visits
GROUP BY department
