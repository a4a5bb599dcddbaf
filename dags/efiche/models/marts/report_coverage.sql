-- unique_key: [source, year_month]
SELECT
    source,
    year_month,
    encounters,
    with_report,
    round(100.0 * with_report / encounters, 2) AS coverage_pct
FROM gold.mv_monthly_encounters
