-- Writes vectors, column by column; those that are there already are others now.
INSERT INTO {vectors} (id, nth, verified_at, expires_at, vector)
SELECT id, nth, to_timestamp(verified_at), to_timestamp(expires_at), vector::vector
FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::text[]) AS new(id, nth, verified_at, expires_at, vector)
ON CONFLICT (id, nth) DO UPDATE SET
    verified_at = excluded.verified_at, expires_at = excluded.expires_at, vector = excluded.vector
