-- Under which a session was written: a write with a lower one is refused. 0 where there is none.
ALTER TABLE sessions ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
