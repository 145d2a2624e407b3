-- What the caller's number is to us (a list of [callers]), and which call asked to be called back by this one.
ALTER TABLE calls ADD COLUMN caller_status TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN callback_of TEXT NOT NULL DEFAULT '';

-- Who was promised to be called back and was not reached yet; one row a number, removed when it is done.
CREATE TABLE callbacks (
    number TEXT PRIMARY KEY,
    errand TEXT NOT NULL                  -- JSON object
) STRICT;
