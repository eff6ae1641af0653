-- Finds the documents that are nearest to a vector, $1, of those that are valid at the moment $2: all are compared.
SELECT id FROM {vectors}
WHERE verified_at <= to_timestamp($2::bigint) AND (expires_at IS NULL OR to_timestamp($2::bigint) < expires_at)
GROUP BY id
ORDER BY min(vector <#> (SELECT $1::real[]::vector)), id
LIMIT {nearest}
