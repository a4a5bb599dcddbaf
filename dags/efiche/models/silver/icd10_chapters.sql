/*
unique_key: first_category
*/
-- Categories are compared as text: `C7A`, `M1A` and `O9A` of the clinical modification fall into their chapters.
SELECT chapter, first_category, last_category, title
FROM (VALUES
    ('I', 'A00', 'B99', 'Certain infectious and parasitic diseases'),
    ('II', 'C00', 'D49', 'Neoplasms'),
    ('III', 'D50', 'D89', 'Diseases of the blood, blood-forming organs and the immune mechanism'),
    ('IV', 'E00', 'E90', 'Endocrine, nutritional and metabolic diseases'),
    ('V', 'F00', 'F99', 'Mental and behavioural disorders'),
    ('VI', 'G00', 'G99', 'Diseases of the nervous system'),
    ('VII', 'H00', 'H59', 'Diseases of the eye and adnexa'),
    ('VIII', 'H60', 'H95', 'Diseases of the ear and mastoid process'),
    ('IX', 'I00', 'I99', 'Diseases of the circulatory system'),
    ('X', 'J00', 'J99', 'Diseases of the respiratory system'),
    ('XI', 'K00', 'K95', 'Diseases of the digestive system'),
    ('XII', 'L00', 'L99', 'Diseases of the skin and subcutaneous tissue'),
    ('XIII', 'M00', 'M99', 'Diseases of the musculoskeletal system and connective tissue'),
    ('XIV', 'N00', 'N99', 'Diseases of the genitourinary system'),
    ('XV', 'O00', 'O9A', 'Pregnancy, childbirth and the puerperium'),
    ('XVI', 'P00', 'P96', 'Certain conditions originating in the perinatal period'),
    ('XVII', 'Q00', 'Q99', 'Congenital malformations, deformations and chromosomal abnormalities'),
    ('XVIII', 'R00', 'R99', 'Symptoms, signs and abnormal findings, not elsewhere classified'),
    ('XIX', 'S00', 'T98', 'Injury, poisoning and other consequences of external causes'),
    ('XX', 'V00', 'Y99', 'External causes of morbidity and mortality'),
    ('XXI', 'Z00', 'Z99', 'Factors influencing health status and contact with health services'),
    ('XXII', 'U00', 'U99', 'Codes for special purposes')
) AS chapters (chapter, first_category, last_category, title)
