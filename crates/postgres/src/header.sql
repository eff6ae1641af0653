-- Reads what the last build left, but for its synonyms, and whether its vectors can be read by whoever asks.
SELECT format, generation, (extract(epoch FROM built_at) * 1000000)::bigint AS built_at, documents, languages, counts, title_words,
    body_words, model, numbers, passages, mean, spread, indexed, to_regtype('vector') IS NOT NULL AS has_type,
    has_table_privilege(to_regclass('{vectors}'), 'SELECT') AS may_read
FROM {header}
