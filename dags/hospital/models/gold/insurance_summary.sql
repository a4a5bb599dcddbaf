-- unique_key: insurance_provider
SELECT
    insurance_provider,
    CAST(sum(treatment_cost) AS DECIMAL(18, 2)) AS total_cost,
    CAST(CAST(count(*) AS DECIMAL(18, 4)) / sum(count(*)) OVER () AS DECIMAL(5, 4)) AS coverage_rate,
    CAST(avg(treatment_cost) AS DECIMAL(18, 2)) AS avg_cost
FROM core.fact_treatments
GROUP BY insurance_provider
