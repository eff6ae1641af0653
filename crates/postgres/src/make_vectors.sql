-- What the passages of the documents and the questions that they answer mean: a row each. Its vectors have no width of their own, and so those of another model take the
-- places of the old ones without a lock that whoever searches would wait for. What says whether a document holds stands here, too, so
-- that the documents need not be read to find the nearest.
CREATE TABLE {vectors} (
    id text NOT NULL,
    nth integer NOT NULL,
    verified_at timestamptz NOT NULL,
    expires_at timestamptz,
    vector vector NOT NULL,
    PRIMARY KEY (id, nth)
);
-- In their rows, as long as those fit into a page: they cannot be compressed, and all of them are read.
ALTER TABLE {vectors} ALTER COLUMN vector SET STORAGE MAIN;
