-- Whom the caller called, a client of [clients], and the greeting that the agent was shown.
ALTER TABLE calls ADD COLUMN client TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN greeting TEXT NOT NULL DEFAULT '';
CREATE INDEX calls_client ON calls (client, started_at) WHERE client <> '';
