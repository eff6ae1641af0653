-- The decision store, version 1. One text for SQLite and PostgreSQL: BIGINT, TEXT and BOOLEAN mean the same to both.
--
-- Everything here is copied from the segments on disk, and can be copied again: a segment is the truth, a row is for finding it.
-- Times are milliseconds since 1970 in UTC, so that they sort, and cut into seconds, minutes and hours by division.
-- Not a letter of this file changes once it is released: what is applied is known by its digest. What comes next is 0002.

-- One row for each request that was answered or refused.
CREATE TABLE decisions (
    instance    TEXT    NOT NULL,  -- the process that decided: its folder and the id of that, `i1@9f2c41d07b3e5a68`
    n           BIGINT  NOT NULL,  -- the number of the record there: from 1, and never twice
    id          TEXT    NOT NULL,  -- as the client was told it: `evenkeel-decision`
    time_ms     BIGINT  NOT NULL,  -- when the request was over
    route       TEXT    NOT NULL,
    revision    TEXT    NOT NULL,  -- the configuration that decided: `sha256:9b1c0f3e5566`
    operation   TEXT    NOT NULL,  -- chat, chat-stream, embeddings, infer
    phase       TEXT    NOT NULL,  -- of the route, when the request came
    tier        BIGINT,            -- the one that answered; NULL: none did
    method      TEXT,
    degraded    BOOLEAN NOT NULL,  -- answered by another tier than 0
    ended       TEXT    NOT NULL,  -- answered, error, broken, refused
    reason      TEXT    NOT NULL,  -- a code of governance.md, section 12
    status      BIGINT  NOT NULL,  -- of HTTP
    latency_us  BIGINT  NOT NULL,
    attempts    BIGINT  NOT NULL,
    record      TEXT,              -- evenkeel.decision/v1 as JSON; NULL: only the columns were kept of it
    PRIMARY KEY (instance, n)
);

CREATE INDEX decisions_by_id       ON decisions (id);
CREATE INDEX decisions_by_time     ON decisions (time_ms, id);
CREATE INDEX decisions_by_route    ON decisions (route, time_ms, id);
-- What people look for, and seldom happens: it is found without passing by all that went well.
CREATE INDEX decisions_degraded    ON decisions (time_ms, id) WHERE degraded;
CREATE INDEX decisions_failed      ON decisions (time_ms, id) WHERE status >= 400;

-- One row for each thing that happened beside requests: transitions, configurations, declared gaps.
CREATE TABLE events (
    instance    TEXT    NOT NULL,
    n           BIGINT  NOT NULL,
    time_ms     BIGINT  NOT NULL,
    type        TEXT    NOT NULL,  -- route.transition, config.applied, audit.gap, …
    actor       TEXT    NOT NULL,
    data        TEXT    NOT NULL,  -- JSON
    PRIMARY KEY (instance, n)
);

CREATE INDEX events_by_time ON events (time_ms);

-- How far each stream of each instance was read. It moves in the transaction that writes the rows, and only from where the
-- reader found it: so a row is here once, whoever dies when.
CREATE TABLE cursors (
    instance    TEXT    NOT NULL,
    stream      TEXT    NOT NULL,  -- decisions, events
    n           BIGINT  NOT NULL,  -- the last number that is here
    PRIMARY KEY (instance, stream)
);

-- What decisions come to, in spans of a second, a minute and an hour; written in the same transaction as they are.
-- Two rows add up column by column, so any longer span is a SUM of these.
CREATE TABLE rollups (
    span_s      BIGINT  NOT NULL,  -- 1, 60 or 3600
    start_ms    BIGINT  NOT NULL,
    route       TEXT    NOT NULL,
    tier        BIGINT  NOT NULL,  -- -1: none answered
    reason      TEXT    NOT NULL,
    requests    BIGINT  NOT NULL,
    degraded    BIGINT  NOT NULL,
    refused     BIGINT  NOT NULL,  -- ended: refused
    errors      BIGINT  NOT NULL,  -- ended: error or broken
    latency_us  BIGINT  NOT NULL,  -- the sum of all
    -- How many took so long at most, and longer than the column before.
    to_1ms      BIGINT  NOT NULL,
    to_2ms      BIGINT  NOT NULL,
    to_5ms      BIGINT  NOT NULL,
    to_10ms     BIGINT  NOT NULL,
    to_20ms     BIGINT  NOT NULL,
    to_50ms     BIGINT  NOT NULL,
    to_100ms    BIGINT  NOT NULL,
    to_200ms    BIGINT  NOT NULL,
    to_500ms    BIGINT  NOT NULL,
    to_1s       BIGINT  NOT NULL,
    to_2s       BIGINT  NOT NULL,
    to_5s       BIGINT  NOT NULL,
    to_10s      BIGINT  NOT NULL,
    to_20s      BIGINT  NOT NULL,
    to_60s      BIGINT  NOT NULL,
    longer      BIGINT  NOT NULL,
    PRIMARY KEY (span_s, start_ms, route, tier, reason)
);
