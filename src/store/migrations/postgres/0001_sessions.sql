-- Sessions of every type. Ids are uuids of version 7: their order is the order of creation.
CREATE TABLE sessions (
    id UUID PRIMARY KEY,
    kind SMALLINT NOT NULL,
    status SMALLINT NOT NULL,
    player_id UUID NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ended_at BIGINT,
    expires_at BIGINT,
    version BIGINT NOT NULL,
    node TEXT NOT NULL,
    mode SMALLINT NOT NULL,
    fight_status SMALLINT NOT NULL,
    metadata TEXT,
    settings TEXT,
    body TEXT NOT NULL,
    end_reason TEXT,
    logs BIGINT NOT NULL
);
CREATE INDEX sessions_by_kind_and_status ON sessions (kind, status, id);
CREATE INDEX sessions_by_fight ON sessions (fight_status, id) WHERE fight_status >= 0;
CREATE INDEX sessions_by_fight_and_mode ON sessions (fight_status, mode, id) WHERE fight_status >= 0;
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- Who takes part in what; the owner too.
CREATE TABLE session_players (
    session_id UUID NOT NULL,
    player_id UUID NOT NULL,
    kind SMALLINT NOT NULL,
    status SMALLINT NOT NULL,
    mode SMALLINT NOT NULL,
    fight_status SMALLINT NOT NULL,
    PRIMARY KEY (session_id, player_id)
);
CREATE INDEX session_players_by_player ON session_players (player_id, session_id, status, kind, mode, fight_status);

CREATE TABLE session_logs (
    session_id UUID NOT NULL,
    no BIGINT NOT NULL,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    message TEXT,
    data TEXT,
    PRIMARY KEY (session_id, no)
);

CREATE TABLE idempotency_keys (
    hash BYTEA PRIMARY KEY,
    fingerprint BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    session_id UUID NOT NULL,
    status SMALLINT,
    answer TEXT
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE analytics_buckets (
    node TEXT NOT NULL,
    width INTEGER NOT NULL,
    start BIGINT NOT NULL,
    series SMALLINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (width, start, series, node)
);

-- Counted as rows come and go, so that a list can say how many there are without counting them. Each node counts in rows of
-- its own: two nodes never wait for each other's.
CREATE TABLE session_counts (
    kind SMALLINT NOT NULL,
    status SMALLINT NOT NULL,
    mode SMALLINT NOT NULL,
    fight_status SMALLINT NOT NULL,
    node TEXT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (kind, status, mode, fight_status, node)
) WITH (fillfactor = 50);
CREATE TABLE player_counts (
    player_id UUID NOT NULL,
    kind SMALLINT NOT NULL,
    status SMALLINT NOT NULL,
    mode SMALLINT NOT NULL,
    fight_status SMALLINT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (player_id, kind, status, mode, fight_status)
);

-- Counted once for all rows of a statement, in the order of the key: two that do so at the same time cannot block each other.
CREATE FUNCTION count_added_sessions() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO session_counts AS c
        SELECT kind, status, mode, fight_status, node, count(*) FROM added GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (kind, status, mode, fight_status, node) DO UPDATE SET n = c.n + excluded.n;
    RETURN NULL;
END $$;
CREATE FUNCTION count_removed_sessions() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO session_counts AS c
        SELECT kind, status, mode, fight_status, node, -count(*) FROM removed GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (kind, status, mode, fight_status, node) DO UPDATE SET n = c.n + excluded.n;
    RETURN NULL;
END $$;
CREATE FUNCTION count_changed_sessions() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO session_counts AS c
        SELECT kind, status, mode, fight_status, node, sum(d) FROM (
            SELECT kind, status, mode, fight_status, node, 1 AS d FROM added
            UNION ALL SELECT kind, status, mode, fight_status, node, -1 FROM removed
        ) AS changes GROUP BY 1, 2, 3, 4, 5 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (kind, status, mode, fight_status, node) DO UPDATE SET n = c.n + excluded.n;
    RETURN NULL;
END $$;
CREATE TRIGGER sessions_added AFTER INSERT ON sessions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_added_sessions();
CREATE TRIGGER sessions_changed AFTER UPDATE ON sessions
    REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_changed_sessions();
CREATE TRIGGER sessions_removed AFTER DELETE ON sessions
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_removed_sessions();

CREATE FUNCTION count_added_players() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO player_counts AS c
        SELECT player_id, kind, status, mode, fight_status, count(*) FROM added GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (player_id, kind, status, mode, fight_status) DO UPDATE SET n = c.n + excluded.n;
    RETURN NULL;
END $$;
CREATE FUNCTION count_removed_players() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO player_counts AS c
        SELECT player_id, kind, status, mode, fight_status, -count(*) FROM removed GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (player_id, kind, status, mode, fight_status) DO UPDATE SET n = c.n + excluded.n;
    DELETE FROM player_counts AS c USING removed AS r
        WHERE c.player_id = r.player_id AND c.kind = r.kind AND c.status = r.status
        AND c.mode = r.mode AND c.fight_status = r.fight_status AND c.n = 0;
    RETURN NULL;
END $$;
CREATE FUNCTION count_changed_players() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO player_counts AS c
        SELECT player_id, kind, status, mode, fight_status, sum(d) FROM (
            SELECT player_id, kind, status, mode, fight_status, 1 AS d FROM added
            UNION ALL SELECT player_id, kind, status, mode, fight_status, -1 FROM removed
        ) AS changes GROUP BY 1, 2, 3, 4, 5 HAVING sum(d) <> 0 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (player_id, kind, status, mode, fight_status) DO UPDATE SET n = c.n + excluded.n;
    DELETE FROM player_counts AS c USING removed AS r
        WHERE c.player_id = r.player_id AND c.kind = r.kind AND c.status = r.status
        AND c.mode = r.mode AND c.fight_status = r.fight_status AND c.n = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER session_players_added AFTER INSERT ON session_players
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_added_players();
CREATE TRIGGER session_players_changed AFTER UPDATE ON session_players
    REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_changed_players();
CREATE TRIGGER session_players_removed AFTER DELETE ON session_players
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_removed_players();
