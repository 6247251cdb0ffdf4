-- Replays of fights that have ended, without the text of their rulesets, which many have in common.
CREATE TABLE replays (
    session_id UUID PRIMARY KEY,
    ruleset BYTEA NOT NULL,
    data BYTEA NOT NULL
);
CREATE TABLE rulesets (
    hash BYTEA PRIMARY KEY,
    text TEXT NOT NULL
);
