-- Answered calls as another process would need them (softswitch.call.kept): a row while the call lives.
CREATE TABLE calls_kept (
    call TEXT NOT NULL PRIMARY KEY,
    data TEXT NOT NULL
) STRICT;
