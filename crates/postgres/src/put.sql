-- Writes documents, column by column; those that are there already are another now.
INSERT INTO {documents} (
    id, title, body, source, language, verified_at, expires_at, digest, title_words, body_words, tsv
)
SELECT id, title, body, source, language, to_timestamp(verified_at), to_timestamp(expires_at), digest, title_words, body_words,
    tsv::tsvector
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::integer[],
    $10::integer[], $11::text[]
) AS new(id, title, body, source, language, verified_at, expires_at, digest, title_words, body_words, tsv)
ON CONFLICT (id) DO UPDATE SET
    title = excluded.title, body = excluded.body, source = excluded.source, language = excluded.language,
    verified_at = excluded.verified_at, expires_at = excluded.expires_at, digest = excluded.digest,
    title_words = excluded.title_words, body_words = excluded.body_words, tsv = excluded.tsv
