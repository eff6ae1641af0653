-- What the last build left of vectors: who made them, their width, how many there are (none, where there never were any), how the
-- cosines between them lie, and whether there is an index of them.
ALTER TABLE {header}
    ADD COLUMN IF NOT EXISTS model text,
    ADD COLUMN IF NOT EXISTS numbers integer,
    ADD COLUMN IF NOT EXISTS passages bigint,
    ADD COLUMN IF NOT EXISTS mean double precision,
    ADD COLUMN IF NOT EXISTS spread double precision,
    ADD COLUMN IF NOT EXISTS indexed boolean;
