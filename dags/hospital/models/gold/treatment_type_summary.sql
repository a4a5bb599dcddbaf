-- unique_key: treatment_type
SELECT
    treatment_type,
    CAST(sum(treatment_cost) AS DECIMAL(18, 2)) AS total_cost,
    CAST(avg(treatment_cost) AS DECIMAL(18, 2)) AS avg_cost,
    CAST(100 * sum(treatment_cost) / nullif(sum(sum(treatment_cost)) OVER (), 0) AS DECIMAL(7, 4)) AS cost_pct
FROM core.fact_treatments
GROUP BY treatment_type
