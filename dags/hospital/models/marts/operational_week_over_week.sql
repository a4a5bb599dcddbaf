-- unique_key: [iso_year, iso_week]
-- tags: operational
WITH starts AS (
    SELECT
        CAST(date_part('isoyear', visit_date) AS INT) AS iso_year,
        CAST(date_part('week', visit_date) AS INT) AS iso_week,
        min(CAST(date_trunc('week', visit_date) AS DATE)) AS starts_on
    FROM core.dim_visits
    GROUP BY 1, 2
),
weeks AS (
    SELECT s.starts_on, g.*
    FROM gold.weekly_visit_trends AS g
    JOIN starts AS s ON s.iso_year = g.iso_year AND s.iso_week = g.iso_week
)
SELECT
    w.iso_year,
    w.iso_week,
    w.starts_on,
    w.num_visits,
    -- of the week before in the calendar; null when nobody came in it
    before.num_visits AS num_visits_before,
    CAST(CAST(100 * (w.num_visits - before.num_visits) AS DECIMAL(18, 0)) / before.num_visits AS DECIMAL(9, 2))
        AS visits_change_pct,
    w.total_cost,
    before.total_cost AS total_cost_before
FROM weeks AS w
LEFT JOIN weeks AS before ON w.starts_on - before.starts_on = 7
