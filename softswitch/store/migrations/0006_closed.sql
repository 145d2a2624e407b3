-- Queues that a supervisor has closed, so that a restart does not open them.
CREATE TABLE queues_closed (
    queue TEXT PRIMARY KEY
) STRICT;
