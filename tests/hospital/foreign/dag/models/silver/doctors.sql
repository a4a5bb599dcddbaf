-- unique_key: doctor_id
SELECT
    a.arztnr AS doctor_id,
    a.name AS doctor_name,
    s.fachabteilung AS department,
    a.berufsjahre AS years_experience
FROM silver.aerzte AS a
JOIN silver.stationen AS s ON s.station = a.station
