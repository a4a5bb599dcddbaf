/*
unique_key: [source, year_month]
allow_empty: true
*/
-- A month without encounters between the first and the last of a source counts as 0.
WITH span AS (
    SELECT source, min(year_month) AS first, max(year_month) AS last
    FROM gold.mv_monthly_encounters
    WHERE year_month <> 'Unknown'
    GROUP BY source
),
months AS (
    SELECT DISTINCT span.source, d.year_month, d.year, d.month
    FROM span
    LEFT JOIN core.dim_date AS d ON d.year_month BETWEEN span.first AND span.last
),
counted AS (
    SELECT
        months.source,
        months.year_month,
        months.year,
        months.month,
        coalesce(m.encounters, 0) AS encounters,
        coalesce(m.patients, 0) AS patients,
        coalesce(m.procedures, 0) AS procedures
    FROM months
    LEFT JOIN gold.mv_monthly_encounters AS m ON m.source = months.source AND m.year_month = months.year_month
)
SELECT
    *,
    encounters - lag(encounters) OVER (PARTITION BY source ORDER BY year_month) AS change
FROM counted
