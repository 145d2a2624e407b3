-- What agents and phones were, so that a restart, orderly or not, finds them as they were.
CREATE TABLE agents_kept (
    agent TEXT PRIMARY KEY,
    data  TEXT NOT NULL                   -- JSON of acd.restart.AgentSnapshot
) STRICT;

CREATE TABLE phones_kept (
    number TEXT PRIMARY KEY,
    data   TEXT NOT NULL                  -- JSON array of softswitch.sip.registrar.Binding
) STRICT;
