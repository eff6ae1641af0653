-- Finds documents that are near a vector, $1, of those that are valid at the moment $2: those whose passages the index says are near.
SELECT id FROM (
    SELECT id, vector::vector({numbers}) <=> (SELECT $1::real[]::vector) AS distance
    FROM {vectors}
    WHERE vector_dims(vector) = {numbers}
        AND verified_at <= to_timestamp($2::bigint) AND (expires_at IS NULL OR to_timestamp($2::bigint) < expires_at)
    ORDER BY vector::vector({numbers}) <=> (SELECT $1::real[]::vector)
    LIMIT {looked}
) AS near
GROUP BY id
ORDER BY min(distance), id
LIMIT {nearest}
