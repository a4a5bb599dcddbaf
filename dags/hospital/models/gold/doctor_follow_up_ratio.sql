-- unique_key: doctor_id
SELECT
    d.doctor_id,
    d.doctor_name,
    CAST(avg(CAST(CAST(v.follow_up_required AS INT) AS DECIMAL(9, 4))) AS DECIMAL(5, 4)) AS follow_up_rate,
    count(*) FILTER (WHERE v.follow_up_required) AS count
FROM core.dim_doctors AS d
LEFT JOIN core.dim_visits AS v ON v.doctor_id = d.doctor_id
GROUP BY d.doctor_id, d.doctor_name
