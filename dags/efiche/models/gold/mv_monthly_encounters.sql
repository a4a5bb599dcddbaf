-- unique_key: [source, year_month]
SELECT
    f.source,
    d.year_month,
    d.year,
    d.month,
    count(*) AS encounters,
    count(DISTINCT f.patient_key) AS patients,
    sum(f.num_procedures) AS procedures,
    sum(f.num_diagnoses) AS diagnoses,
    count(*) FILTER (WHERE f.has_report) AS with_report
FROM core.fact_encounters AS f
LEFT JOIN core.dim_date AS d ON d.date_key = f.date_key
GROUP BY f.source, d.year_month, d.year, d.month
