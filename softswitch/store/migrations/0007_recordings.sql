-- Recordings of conversations; written when one begins, so that a kill leaves a row.
CREATE TABLE recordings (
    id        TEXT PRIMARY KEY,
    call      TEXT NOT NULL,
    state     TEXT NOT NULL,               -- recording, waiting (to be compressed), kept, failed
    at        REAL NOT NULL,               -- epoch seconds
    file      TEXT NOT NULL,               -- absolute path
    length_s  REAL NOT NULL DEFAULT 0.0,
    format    TEXT NOT NULL DEFAULT 'wav',
    encrypted INTEGER NOT NULL DEFAULT 0,
    bytes     INTEGER NOT NULL DEFAULT 0,
    sha256    TEXT NOT NULL DEFAULT '',    -- of the file, in hexadecimal
    queue     TEXT NOT NULL DEFAULT '',
    party     TEXT NOT NULL DEFAULT '',    -- the agent, or the number that he talked with
    number    TEXT NOT NULL DEFAULT '',    -- the caller's
    attempt   INTEGER NOT NULL DEFAULT 0,  -- how often it could not be compressed
    error     TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX recordings_at ON recordings (at);
CREATE INDEX recordings_call ON recordings (call);
CREATE INDEX recordings_open ON recordings (at) WHERE state IN ('recording', 'waiting');
