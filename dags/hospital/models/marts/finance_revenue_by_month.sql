-- unique_key: year_month
-- tags: finance
SELECT
    to_char(visit_date, '%Y-%m') AS year_month,
    CAST(sum(treatment_cost) AS DECIMAL(18, 2)) AS revenue,
    CAST(avg(treatment_cost) AS DECIMAL(18, 2)) AS avg_cost,
    CAST(sum(amount_paid) AS DECIMAL(18, 2)) AS paid,
    count(*) AS treatments
FROM silver.treatment_lines
GROUP BY 1
