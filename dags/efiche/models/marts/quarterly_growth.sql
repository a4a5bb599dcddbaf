/*
unique_key: [source, year, quarter]
allow_empty: true
*/
-- A quarter without encounters between the first and the last of a source counts as 0; growth from 0 is null.
WITH counted AS (
    SELECT f.source, d.year, d.quarter, count(*) AS encounters
    FROM core.fact_encounters AS f
    LEFT JOIN core.dim_date AS d ON d.date_key = f.date_key
    WHERE f.date_key <> 0
    GROUP BY f.source, d.year, d.quarter
),
span AS (
    SELECT source, min(year * 4 + quarter) AS first, max(year * 4 + quarter) AS last FROM counted GROUP BY source
),
quarters AS (
    SELECT DISTINCT span.source, d.year, d.quarter
    FROM span
    LEFT JOIN core.dim_date AS d ON d.year * 4 + d.quarter BETWEEN span.first AND span.last
),
filled AS (
    SELECT quarters.source, quarters.year, quarters.quarter, coalesce(counted.encounters, 0) AS encounters
    FROM quarters
    LEFT JOIN counted
        ON counted.source = quarters.source AND counted.year = quarters.year AND counted.quarter = quarters.quarter
),
compared AS (
    SELECT *, lag(encounters) OVER (PARTITION BY source ORDER BY year, quarter) AS previous FROM filled
)
SELECT
    source,
    year,
    quarter,
    encounters,
    previous,
    round(100.0 * (encounters - previous) / nullif(previous, 0), 2) AS growth_pct
FROM compared
