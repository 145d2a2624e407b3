-- The append-only event log. It is the source of every figure; nothing updates or deletes a row.
CREATE TABLE events (
    id    INTEGER PRIMARY KEY,            -- the order of happening
    at    REAL NOT NULL,                  -- epoch seconds
    kind  TEXT NOT NULL,
    call  TEXT NOT NULL DEFAULT '',
    queue TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '',
    data  TEXT NOT NULL DEFAULT '{}'      -- JSON object
) STRICT;

CREATE INDEX events_at ON events (at);
CREATE INDEX events_call ON events (call, id) WHERE call <> '';
CREATE INDEX events_agent ON events (agent, id) WHERE agent <> '';
-- The few that say from where on the log must be read after a kill.
CREATE INDEX events_anchor ON events (kind, id) WHERE kind IN ('SYSTEM_START', 'SYSTEM_STOP', 'AGENTLOGIN');

-- One row a call: written when it starts, so that a kill leaves an open row, and again when it ends.
CREATE TABLE calls (
    id                  TEXT PRIMARY KEY,
    started_at          REAL NOT NULL,
    answered_at         REAL,
    ended_at            REAL,
    from_number         TEXT NOT NULL DEFAULT '',
    from_name           TEXT NOT NULL DEFAULT '',
    to_number           TEXT NOT NULL DEFAULT '',
    direction           TEXT NOT NULL DEFAULT 'inbound',
    transport           TEXT NOT NULL DEFAULT '',
    call_type           TEXT NOT NULL DEFAULT '',
    path                TEXT NOT NULL DEFAULT '[]',   -- JSON array of "flow.node"
    queue               TEXT NOT NULL DEFAULT '',
    agent               TEXT NOT NULL DEFAULT '',
    disposition         TEXT NOT NULL DEFAULT 'open',
    cause               TEXT NOT NULL DEFAULT '',
    sip_status          INTEGER NOT NULL DEFAULT 0,
    ended_by            TEXT NOT NULL DEFAULT '',
    menu_s              REAL,
    wait_s              REAL,
    ring_s              REAL,
    talk_s              REAL,
    hold_s              REAL,
    wrapup_s            REAL,
    recording           TEXT NOT NULL DEFAULT '',
    caller_loss_percent REAL,
    caller_jitter_ms    REAL,
    agent_loss_percent  REAL,
    agent_jitter_ms     REAL,
    legs                TEXT NOT NULL DEFAULT '[]'    -- JSON array of objects
) STRICT;

CREATE INDEX calls_started ON calls (started_at);
CREATE INDEX calls_queue ON calls (queue, started_at) WHERE queue <> '';
CREATE INDEX calls_agent ON calls (agent, started_at) WHERE agent <> '';
CREATE INDEX calls_open ON calls (id) WHERE ended_at IS NULL;

-- The last sign of life of the writer: how long open calls lasted is known to within its period after a kill.
CREATE TABLE alive (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  REAL NOT NULL
) STRICT;
INSERT INTO alive (one, at) VALUES (1, 0.0);
