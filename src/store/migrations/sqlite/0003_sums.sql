-- What each row's meaning sums up to, computed by the server; -1 where it has not been yet.
ALTER TABLE sessions ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE session_players ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE session_logs ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE idempotency_keys ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE analytics_buckets ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE replays ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;
ALTER TABLE rulesets ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;

-- One row: which store this is, whether rows of before have got their sums, and how many commits there were, twice.
CREATE TABLE store_self (
    one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
    id BLOB NOT NULL,
    summed INTEGER NOT NULL,
    commits INTEGER NOT NULL,
    again INTEGER NOT NULL
);
INSERT INTO store_self VALUES (1, randomblob(16), 0, 0, 0);
