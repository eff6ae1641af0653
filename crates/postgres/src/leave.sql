-- Writes what a search has to know; $1 is the version, $2 what users say for what the documents say. Of vectors: $3 who made them, $4
-- their width, $5 how many there are, $6 and $7 how the cosines between them lie, $8 whether there is an index of them.
INSERT INTO {header} AS before (
    format, generation, built_at, documents, languages, counts, title_words, body_words, synonyms, model, numbers,
    passages, mean, spread, indexed
)
SELECT $1, 1, now(), coalesce(sum(counts), 0)::bigint, coalesce(array_agg(language), '{}'), coalesce(array_agg(counts), '{}'),
    coalesce(array_agg(title_words), '{}'), coalesce(array_agg(body_words), '{}'), $2, $3, $4, $5, $6, $7, $8
FROM (
    SELECT language, count(*) AS counts, sum(title_words)::bigint AS title_words, sum(body_words)::bigint AS body_words
    FROM {documents} GROUP BY language ORDER BY language
) AS each
ON CONFLICT (one) DO UPDATE SET
    format = excluded.format, generation = before.generation + 1, built_at = excluded.built_at, documents = excluded.documents,
    languages = excluded.languages, counts = excluded.counts, title_words = excluded.title_words,
    body_words = excluded.body_words, synonyms = excluded.synonyms, model = excluded.model,
    numbers = excluded.numbers, passages = excluded.passages, mean = excluded.mean, spread = excluded.spread,
    indexed = excluded.indexed
