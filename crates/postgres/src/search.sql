-- Finds what may answer a question. $1 is the language, $2 the words as queries, those that weigh most first, $3 in how many
-- documents each is, $4 what each weighs, $5 the moment of the question, $6 the documents that are near to what it means, which are
-- looked at, too.
WITH asked AS MATERIALIZED (
    SELECT term::tsquery AS term, documents, weight, nth
    FROM unnest($2::text[], $3::bigint[], $4::float8[]) WITH ORDINALITY AS a(term, documents, weight, nth)
    WHERE documents > 0
),
-- The rare ones; where already the rarest finds too much, that one and any other.
rare AS MATERIALIZED (
    SELECT coalesce(
        (string_agg(term::text, ' | ') FILTER (WHERE upto <= {enough}))::tsquery,
        (string_agg(term::text, '') FILTER (WHERE nth = 1))::tsquery
            && (string_agg(term::text, ' | ') FILTER (WHERE nth > 1))::tsquery,
        (string_agg(term::text, '') FILTER (WHERE nth = 1))::tsquery
    ) AS terms
    FROM (
        SELECT term, sum(documents) OVER so_far AS upto, row_number() OVER so_far AS nth
        FROM asked
        WINDOW so_far AS (ORDER BY documents, nth ROWS UNBOUNDED PRECEDING)
    ) AS each
),
having_some AS MATERIALIZED (
    SELECT d.id, d.title, d.body, d.source, d.verified_at, d.title_words, d.body_words, d.tsv
    FROM {documents} d
    WHERE d.tsv @@ (SELECT terms FROM rare) AND d.language = $1 AND d.verified_at <= to_timestamp($5::bigint)
        AND (d.expires_at IS NULL OR to_timestamp($5::bigint) < d.expires_at)
    LIMIT {enough}
),
found AS MATERIALIZED (
    SELECT d.*, ranked.score
    FROM having_some d,
        -- Unpacked once, and not for each word.
        LATERAL (SELECT d.tsv || ''::tsvector AS tsv OFFSET 0) AS plain,
        LATERAL (SELECT sum(a.weight * ts_rank(plain.tsv, a.term, 1)) AS score FROM asked a) AS ranked
    ORDER BY ranked.score DESC, d.id
    LIMIT {candidates}
),
all_of_them AS MATERIALIZED (
    SELECT id, title, body, source, verified_at, title_words, body_words, tsv, score FROM found
    UNION ALL
    SELECT d.id, d.title, d.body, d.source, d.verified_at, d.title_words, d.body_words, d.tsv, 0 AS score
    FROM {documents} d
    WHERE d.id = ANY($6::text[]) AND d.id NOT IN (SELECT id FROM found) AND d.language = $1
        AND d.verified_at <= to_timestamp($5::bigint) AND (d.expires_at IS NULL OR to_timestamp($5::bigint) < d.expires_at)
)
SELECT f.id, f.title, left(f.body, {body}) AS body, f.source, extract(epoch FROM f.verified_at)::bigint AS verified_at,
    f.title_words, f.body_words, t.words, t.documents, {cosine} AS cosine
FROM all_of_them f, LATERAL (
    SELECT coalesce(array_agg(w.word), '{}') AS words, coalesce(array_agg(w.documents), '{}') AS documents
    FROM {words} w WHERE w.language = $1 AND w.word = ANY(tsvector_to_array(ts_filter(f.tsv, '{a}')))
) AS t
ORDER BY f.score DESC, f.id
