-- {materialized: incremental, unique_key: diagnosis_code_id}
WITH sources AS (
    SELECT diagnosis_code_id, array_to_string(array_sort(array_agg(DISTINCT source)), ', ') AS source
    FROM op.diagnoses
    GROUP BY diagnosis_code_id
)
SELECT
    CAST(translate(substr(md5(c.diagnosis_code_id), 1, 18), 'abcdef', '012345') AS BIGINT) AS diagnosis_key,
    c.diagnosis_code_id,
    c.code,
    c.description,
    c.code_system,
    coalesce(i.chapter, 'none') AS icd10_chapter,
    coalesce(i.title, 'Not in ICD-10') AS icd10_chapter_title,
    coalesce(s.source, 'none') AS source
FROM op.diagnosis_codes AS c
LEFT JOIN sources AS s ON s.diagnosis_code_id = c.diagnosis_code_id
LEFT JOIN silver.icd10_chapters AS i
    ON c.code_system = 'ICD-10' AND substr(c.code, 1, 3) BETWEEN i.first_category AND i.last_category
UNION ALL
SELECT 0, 'unknown', 'unknown', 'Unknown', 'unknown', 'none', 'Not in ICD-10', 'unknown'
