/*
unique_key: [source, first_code_system, first_code, second_code_system, second_code]
allow_empty: true
drops: true
*/
-- Diagnoses of the same encounter, each pair once. The join leaves out encounters with one diagnosis: they have no pair.
WITH codes AS (
    SELECT DISTINCT b.source, b.encounter_key, k.code_system, k.code, k.description
    FROM core.bridge_encounter_diagnosis AS b
    LEFT JOIN core.dim_diagnosis AS k ON k.diagnosis_key = b.diagnosis_key
    WHERE b.encounter_key <> 0
)
SELECT
    a.source,
    a.code_system AS first_code_system,
    a.code AS first_code,
    min(a.description) AS first_description,
    b.code_system AS second_code_system,
    b.code AS second_code,
    min(b.description) AS second_description,
    count(*) AS encounters
FROM codes AS a
JOIN codes AS b
    ON b.encounter_key = a.encounter_key
    AND (b.code_system > a.code_system OR (b.code_system = a.code_system AND b.code > a.code))
GROUP BY a.source, a.code_system, a.code, b.code_system, b.code
HAVING count(*) >= 10
