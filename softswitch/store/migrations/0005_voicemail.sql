-- What callers have said into mailboxes; written when the recording begins, so that a kill leaves a row.
CREATE TABLE messages (
    id       TEXT PRIMARY KEY,
    mailbox  TEXT NOT NULL,
    state    TEXT NOT NULL,               -- recording, new, heard, draft, greeting
    at       REAL NOT NULL,               -- epoch seconds
    file     TEXT NOT NULL,               -- absolute path of the WAV file
    length_s REAL NOT NULL DEFAULT 0.0,
    number   TEXT NOT NULL DEFAULT '',    -- the caller's
    name     TEXT NOT NULL DEFAULT '',
    queue    TEXT NOT NULL DEFAULT '',    -- where he waited before
    call     TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX messages_mailbox ON messages (mailbox, at);

-- Messages that are still to be sent by mail; a row is removed when the server has taken it, or it is given up.
CREATE TABLE mails (
    message TEXT PRIMARY KEY,
    due_at  REAL NOT NULL,                -- epoch seconds
    attempt INTEGER NOT NULL DEFAULT 0,   -- how many have failed
    error   TEXT NOT NULL DEFAULT ''      -- why the last one did
) STRICT;
