-- Sessions of every type. Ids are uuids of version 7: their order is the order of creation.
CREATE TABLE sessions (
    id BLOB PRIMARY KEY NOT NULL,
    kind INTEGER NOT NULL,
    status INTEGER NOT NULL,
    player_id BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ended_at INTEGER,
    expires_at INTEGER,
    version INTEGER NOT NULL,
    node TEXT NOT NULL,
    mode INTEGER NOT NULL,
    fight_status INTEGER NOT NULL,
    metadata TEXT,
    settings TEXT,
    body TEXT NOT NULL,
    end_reason TEXT,
    logs INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_kind_and_status ON sessions (kind, status, id);
CREATE INDEX sessions_by_fight ON sessions (fight_status, id) WHERE fight_status >= 0;
CREATE INDEX sessions_by_fight_and_mode ON sessions (fight_status, mode, id) WHERE fight_status >= 0;
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Who takes part in what; the owner too.
CREATE TABLE session_players (
    session_id BLOB NOT NULL,
    player_id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    status INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    fight_status INTEGER NOT NULL,
    PRIMARY KEY (session_id, player_id)
) WITHOUT ROWID;
CREATE INDEX session_players_by_player ON session_players (player_id, session_id, status, kind, mode, fight_status);

CREATE TABLE session_logs (
    session_id BLOB NOT NULL,
    no INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    message TEXT,
    data TEXT,
    PRIMARY KEY (session_id, no)
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    hash BLOB PRIMARY KEY NOT NULL,
    fingerprint BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    session_id BLOB NOT NULL,
    status INTEGER,
    answer TEXT
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE analytics_buckets (
    node TEXT NOT NULL,
    width INTEGER NOT NULL,
    start INTEGER NOT NULL,
    series INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (width, start, series, node)
) WITHOUT ROWID;

-- Counted as rows come and go, so that a list can say how many there are without counting them.
CREATE TABLE session_counts (
    kind INTEGER NOT NULL,
    status INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    fight_status INTEGER NOT NULL,
    node TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (kind, status, mode, fight_status, node)
) WITHOUT ROWID;
CREATE TABLE player_counts (
    player_id BLOB NOT NULL,
    kind INTEGER NOT NULL,
    status INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    fight_status INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (player_id, kind, status, mode, fight_status)
) WITHOUT ROWID;

CREATE TRIGGER sessions_added AFTER INSERT ON sessions BEGIN
    INSERT INTO session_counts VALUES (new.kind, new.status, new.mode, new.fight_status, new.node, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER sessions_changed AFTER UPDATE ON sessions
    WHEN old.status <> new.status OR old.fight_status <> new.fight_status OR old.node <> new.node BEGIN
    UPDATE session_counts SET n = n - 1
        WHERE kind = old.kind AND status = old.status AND mode = old.mode
        AND fight_status = old.fight_status AND node = old.node;
    INSERT INTO session_counts VALUES (new.kind, new.status, new.mode, new.fight_status, new.node, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER sessions_removed AFTER DELETE ON sessions BEGIN
    UPDATE session_counts SET n = n - 1
        WHERE kind = old.kind AND status = old.status AND mode = old.mode
        AND fight_status = old.fight_status AND node = old.node;
END;
CREATE TRIGGER session_players_added AFTER INSERT ON session_players BEGIN
    INSERT INTO player_counts VALUES (new.player_id, new.kind, new.status, new.mode, new.fight_status, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER session_players_changed AFTER UPDATE ON session_players
    WHEN old.status <> new.status OR old.fight_status <> new.fight_status BEGIN
    UPDATE player_counts SET n = n - 1
        WHERE player_id = old.player_id AND kind = old.kind AND status = old.status AND mode = old.mode
        AND fight_status = old.fight_status;
    DELETE FROM player_counts
        WHERE player_id = old.player_id AND kind = old.kind AND status = old.status AND mode = old.mode
        AND fight_status = old.fight_status AND n = 0;
    INSERT INTO player_counts VALUES (new.player_id, new.kind, new.status, new.mode, new.fight_status, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER session_players_removed AFTER DELETE ON session_players BEGIN
    UPDATE player_counts SET n = n - 1
        WHERE player_id = old.player_id AND kind = old.kind AND status = old.status AND mode = old.mode
        AND fight_status = old.fight_status;
    DELETE FROM player_counts
        WHERE player_id = old.player_id AND kind = old.kind AND status = old.status AND mode = old.mode
        AND fight_status = old.fight_status AND n = 0;
END;
