-- Replays of fights that have ended, without the text of their rulesets, which many have in common.
CREATE TABLE replays (
    session_id BLOB PRIMARY KEY NOT NULL,
    ruleset BLOB NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE rulesets (
    hash BLOB PRIMARY KEY NOT NULL,
    text TEXT NOT NULL
) WITHOUT ROWID;
