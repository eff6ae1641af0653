-- Documents. Their vectors are made by whoever writes them, so that every language is cut into words as in an index in files.
CREATE TABLE {documents} (
    id text PRIMARY KEY,
    -- The title, and below it, a line each, the questions that the document answers.
    title text NOT NULL,
    body text NOT NULL,
    source text NOT NULL,
    language text NOT NULL,
    verified_at timestamptz NOT NULL,
    expires_at timestamptz,
    digest text NOT NULL,
    title_words integer NOT NULL,
    body_words integer NOT NULL,
    tsv tsvector NOT NULL
);
CREATE INDEX "{name}_tsv" ON {documents} USING gin (tsv);
-- In how many documents of a language a word is.
CREATE TABLE {words} (
    language text NOT NULL,
    word text NOT NULL,
    documents bigint NOT NULL,
    PRIMARY KEY (language, word)
);
-- One row: what the last build left.
CREATE TABLE {header} (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    format integer NOT NULL,
    generation bigint NOT NULL,
    built_at timestamptz NOT NULL,
    documents bigint NOT NULL,
    languages text[] NOT NULL,
    counts bigint[] NOT NULL,
    title_words bigint[] NOT NULL,
    body_words bigint[] NOT NULL,
    synonyms text NOT NULL,
    model text,
    numbers integer,
    passages bigint,
    mean double precision,
    spread double precision,
    indexed boolean
);
