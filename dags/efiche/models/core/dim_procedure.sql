-- {materialized: incremental, unique_key: [name, modality, projection]}
WITH kinds AS (
    SELECT
        name,
        coalesce(modality, 'Unknown') AS modality,
        coalesce(projection, 'Unknown') AS projection,
        source
    FROM op.procedures
)
SELECT
    CAST(translate(substr(md5(concat(name, chr(31), modality, chr(31), projection)), 1, 18), 'abcdef', '012345') AS BIGINT) AS procedure_key,
    name,
    modality,
    projection,
    array_to_string(array_sort(array_agg(DISTINCT source)), ', ') AS source
FROM kinds
GROUP BY name, modality, projection
UNION ALL
SELECT 0, 'Unknown', 'Unknown', 'Unknown', 'unknown'
