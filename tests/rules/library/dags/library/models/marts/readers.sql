-- tags: lending
SELECT m.member_id, m.name, count(l.loan_id) AS loans
FROM gold.gold_members m LEFT JOIN gold.gold_loans l ON l.member_id = m.member_id
GROUP BY m.member_id, m.name
