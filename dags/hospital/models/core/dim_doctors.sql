-- unique_key: doctor_id
SELECT doctor_id, doctor_name, department, years_experience
FROM silver.doctors
