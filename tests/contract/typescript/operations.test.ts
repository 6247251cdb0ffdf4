// Every operation of the document, driven with the client that its TypeScript types make. That this compiles is half of the
// test; the other half runs against the server in TILTYARD_URL, with the tokens that tests/contract/run minted.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import createClient, { type Client } from "openapi-fetch";

import type { components, operations, paths } from "../generated/schema.js";

type Schemas = components["schemas"];
type Operation = keyof operations;

/** What openapi-fetch answers with. */
interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** What each operation is driven by; a missing or an unknown one does not compile. */
const driven: Record<Exclude<Operation, "openSocket">, number> = {
  getHealth: 0, createSession: 0, listSessions: 0, getSession: 0, updateSession: 0, terminateSession: 0, listSessionLogs: 0,
  joinSession: 0, leaveSession: 0, getSessionState: 0, patchSessionState: 0, heartbeatSession: 0, refreshTokens: 0,
  createTicket: 0, readyForCombat: 0, handOverCombatSession: 0, createCombatSession: 0, listCombatSessions: 0, getCombatSession: 0, executeCombatAction: 0,
  getCombatSessionState: 0, getCombatReplay: 0, getSessionAnalytics: 0, revokeTokens: 0, createGuest: 0, takeArenaSeat: 0, getLiveness: 0,
  getReadiness: 0, getMetrics: 0, getOpenapiJson: 0, getOpenapiYaml: 0,
  listRulesets: 0,
};

const env = (name: string): string => process.env[name] ?? assert.fail(`${name} is not set; start this with tests/contract/run`);

const url = env("TILTYARD_URL");
const [ann, bob] = [env("ANN"), env("BOB")];

/** The server's own word on which operation a path and a method are. */
const document = await createClient<paths>({ baseUrl: url }).GET("/openapi.json");

function client(token?: string): Client<paths> {
  const made = createClient<paths>({
    baseUrl: `${url}/api/v1/session`,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  made.use({
    onRequest({ schemaPath, request }) {
      const item = document.data?.paths[schemaPath] as Record<string, { operationId: Operation }>;
      const id = item[request.method.toLowerCase()]?.operationId;
      assert.ok(id !== undefined && id !== "openSocket");
      driven[id] += 1;
    },
    onResponse({ response }) {
      assert.ok(response.headers.get("x-request-id"));
    },
  });
  return made;
}

const nobody = client();
const admin = client(env("TOKEN_ADMIN"));
const service = client(env("TOKEN_SERVICE"));
const annsClient = client(env("TOKEN_ANN"));
const bobsClient = client(env("TOKEN_BOB"));

function ok<T>(answer: Answer<T>, status = 200): T {
  assert.equal(answer.response.status, status, JSON.stringify(answer.error));
  assert.ok(answer.data !== undefined);
  return answer.data;
}

function refused(answer: Answer<unknown>, status: number, reason?: string): Schemas["ErrorDetails"] {
  assert.equal(answer.response.status, status, JSON.stringify(answer.error ?? answer.data));
  const error = answer.error as Schemas["Error"];
  assert.equal(error.code, status);
  assert.ok(error.details?.reason);
  assert.equal(error.details.reason, reason ?? error.details.reason);
  return error.details;
}

const etag = (answer: Answer<unknown>): string => answer.response.headers.get("etag") ?? assert.fail("no ETag");

const key = (): string => `contract-${crypto.randomUUID()}`;

/** A fight of both players that begins at once and takes long. */
async function fight(idempotencyKey = key()): Promise<Answer<Schemas["CombatSession"]>> {
  return service.POST("/combat/sessions", {
    params: { header: { "Idempotency-Key": idempotencyKey } },
    body: {
      mode: "pvp",
      participants: [ann, bob],
      settings: { max_duration: 600, difficulty: "hard", rules: { preparation_ms: 0, reconnect_ms: 600_000 }, map: "dock" },
    },
  });
}

const custom = (owner: Client<paths>, settings: Record<string, unknown> = {}): Promise<Answer<Schemas["Session"]>> =>
  owner.POST("/sessions", { body: { type: "custom", player_id: ann, metadata: { name: "Raid" }, settings } });

const at = (session_id: string) => ({ path: { session_id } });

describe("operations", () => {
  test("health and probes answer without a token", async () => {
    const health = ok(await nobody.GET("/health"));
    assert.equal(health.status, "healthy" satisfies Schemas["HealthResponse"]["status"]);
    assert.equal(health.domain, "session");
    assert.equal(ok(await nobody.GET("/livez")).status, "live");
    assert.equal(ok(await nobody.GET("/readyz")).status, "ready");
    assert.equal(ok(await nobody.GET("/openapi.json")).openapi, "3.0.3");
    const yaml = await nobody.GET("/openapi.yaml", { parseAs: "text" });
    assert.match(ok(yaml), /^openapi: 3\.0\.3$/m);
    const known = await nobody.GET("/openapi.yaml", { parseAs: "text", headers: { "if-none-match": etag(yaml) } });
    assert.equal(known.response.status, 304);
    const { rulesets } = ok(await nobody.GET("/rulesets"));
    assert.ok(rulesets.find(({ name }) => name === "default")?.modes.includes("pve"));
  });

  test("the rest needs one", async () => {
    refused(await nobody.GET("/sessions"), 401, "unauthorized");
    const answer = await nobody.GET("/metrics", { parseAs: "text" });
    assert.equal(answer.response.status, 401);
    assert.equal(answer.response.headers.get("www-authenticate"), "Bearer");
    const counted = await admin.GET("/metrics", { parseAs: "text" });
    assert.match(ok(counted), /^# TYPE tiltyard/m);
    const limits = ["limit", "remaining", "reset"].map((name) => counted.response.headers.get(`x-ratelimit-${name}`));
    assert.ok(process.env.TILTYARD__RATE_LIMITS === "off" || limits.every((value) => /^\d+$/.test(value ?? "")), `${limits}`);
  });

  test("faults are named", async () => {
    const details = refused(await admin.GET("/sessions", { params: { query: { limit: 0 } } }), 400, "validation_failed");
    assert.deepEqual(details.validation_errors?.map(({ field }) => field), ["limit"]);
    const cursor = await admin.GET("/sessions", { params: { query: { cursor: "no cursor" } } });
    assert.deepEqual(refused(cursor, 400, "validation_failed").validation_errors?.map(({ field }) => field), ["cursor"]);
    refused(await admin.GET("/sessions/{session_id}", { params: at("7") }), 400, "validation_failed");
    refused(await admin.GET("/sessions/{session_id}", { params: at(crypto.randomUUID()) }), 404, "no_session");
  });

  test("a fight is created once, read, fought and ended", async () => {
    const once = key();
    const created = await fight(once);
    const { session_id, participants, settings } = ok(created, 201);
    assert.deepEqual(participants.map(({ player_id }) => player_id), [ann, bob]);
    assert.equal(settings?.map, "dock");
    assert.match(created.response.headers.get("location") ?? "", new RegExp(`${session_id}$`));
    const again = await fight(once);
    assert.equal(ok(again, 201).session_id, session_id);
    assert.equal(again.response.headers.get("idempotent-replayed"), "true");
    const other = await service.POST("/combat/sessions", {
      params: { header: { "Idempotency-Key": once } },
      body: { mode: "pve", participants: [ann] },
    });
    refused(other, 422, "idempotency_mismatch");

    const read = await annsClient.GET("/combat/sessions/{session_id}", { params: at(session_id) });
    assert.equal(ok(read).mode, "pvp");
    assert.ok(etag(read));

    const ready = await annsClient.POST("/combat/sessions/{session_id}/ready", { params: at(session_id) });
    assert.equal(ok(ready).session_id, session_id);
    const move = (shard: number, name: string) =>
      admin.POST("/combat/sessions/{session_id}/hand-over", {
        params: { ...at(session_id), header: { "Idempotency-Key": name } },
        body: { shard },
      });
    const first = key();
    const moved = ok(await move(0, first));
    assert.equal(moved.shard, 0);
    const movedAgain = await move(0, first);
    assert.deepEqual(ok(movedAgain), moved);
    assert.equal(movedAgain.response.headers.get("idempotent-replayed"), "true");
    refused(await move(1, first), 422, "idempotency_mismatch");
    // The fight begins by itself; how often it is asked until then is bounded by the test's own time.
    let state = ok(await service.GET("/combat/sessions/{session_id}/state", { params: at(session_id) }));
    while (state.phase === "preparation") {
      state = ok(await service.GET("/combat/sessions/{session_id}/state", { params: at(session_id) }));
    }
    assert.equal(state.phase, "active" satisfies Schemas["CombatPhase"]);
    const strike = (player_id: string, target_id: string) =>
      annsClient.POST("/combat/sessions/{session_id}/actions", {
        params: { ...at(session_id), header: { "Idempotency-Key": key() } },
        body: { action_type: "attack", player_id, target_id, timestamp: new Date().toISOString(), parameters: {} },
      });
    const result = ok(await strike(ann, bob));
    assert.ok(result.success && (result.damage_dealt ?? 0) > 0);
    assert.equal(result.new_state?.session_id, session_id);
    refused(await strike(bob, ann), 403, "forbidden");
    refused(await strike(ann, crypto.randomUUID()), 409, "no_such_target");

    const listed = ok(await bobsClient.GET("/combat/sessions", { params: { query: { status: "active", mode: "pvp", limit: 50 } } }));
    assert.ok(listed.sessions.some((session) => session.session_id === session_id));

    const details = await annsClient.GET("/sessions/{session_id}", {
      params: { ...at(session_id), query: { include_logs: true, include_stats: true } },
    });
    const { type, logs, stats } = ok(details);
    assert.equal(type, "combat");
    assert.ok(logs?.some(({ event_type }) => event_type === "hit"));
    assert.ok((stats?.events_count ?? 0) > 0);
    const page = ok(await annsClient.GET("/sessions/{session_id}/logs", { params: { ...at(session_id), query: { limit: 1 } } }));
    assert.equal(page.logs.length, 1);
    if (page.next_cursor !== undefined) {
      const next = await annsClient.GET("/sessions/{session_id}/logs", {
        params: { ...at(session_id), query: { limit: 1, cursor: page.next_cursor } },
      });
      assert.equal(ok(next).logs.length, 1);
    }

    const put = (body: Schemas["UpdateSessionRequest"], tag?: string) =>
      service.PUT("/sessions/{session_id}", {
        params: { ...at(session_id), ...(tag === undefined ? {} : { header: { "If-Match": tag } }) },
        body,
      });
    const paused = await put({ status: "paused" }, etag(details));
    assert.equal(ok(paused).status, "paused" satisfies Schemas["SessionStatus"]);
    const { version } = ok(paused);
    assert.equal(refused(await put({ status: "active" }, etag(details)), 412, "precondition_failed").version, version);
    refused(await put({ status: "active", version: 0 }), 409, "version_conflict");
    refused(await strike(ann, bob), 409, "paused");
    const replay = () => annsClient.GET("/combat/sessions/{session_id}/replay", { params: at(session_id), parseAs: "arrayBuffer" });
    refused(await replay(), 404, "no_replay");
    const ended = await service.DELETE("/sessions/{session_id}", {
      params: at(session_id),
      body: { reason: "The test is over.", force: true },
    });
    assert.equal(ok(ended).status, "terminated");
    assert.equal(new TextDecoder().decode(ok(await replay()).slice(0, 8)), "tyreplay");
    const twice = await service.DELETE("/sessions/{session_id}", {
      params: at(session_id),
      headers: { "content-type": "application/json" },
    });
    assert.equal(ok(twice).status, "terminated");
    refused(await put({ status: "active" }), 409, "invalid_transition");
  });

  test("a custom session has members and a state", async () => {
    const created = ok(await custom(annsClient, { max_members: 2 }), 201);
    const { session_id } = created;
    assert.deepEqual(created.members?.map(({ player_id }) => player_id), [ann]);
    refused(await bobsClient.GET("/sessions/{session_id}", { params: at(session_id) }), 404, "no_session");
    const joined = ok(await bobsClient.POST("/sessions/{session_id}/members", { params: at(session_id) }));
    assert.deepEqual(joined.members?.map(({ player_id }) => player_id), [ann, bob]);
    const third = await service.POST("/sessions/{session_id}/members", {
      params: at(session_id),
      body: { player_id: crypto.randomUUID() },
    });
    refused(third, 409, "session_full");

    const patch = (body: Schemas["SessionStatePatch"], tag?: string) =>
      bobsClient.PATCH("/sessions/{session_id}/state", {
        params: { ...at(session_id), ...(tag === undefined ? {} : { header: { "If-Match": tag } }) },
        headers: { "content-type": "application/merge-patch+json" },
        body,
      });
    const first = await patch({ round: 1, votes: { [ann]: "dock" } });
    assert.deepEqual(ok(first), { round: 1, votes: { [ann]: "dock" } });
    assert.deepEqual(ok(await patch({ round: 2, votes: null }, etag(first))), { round: 2 });
    refused(await patch({ round: 3 }, etag(first)), 412, "precondition_failed");
    const read = await annsClient.GET("/sessions/{session_id}/state", { params: at(session_id) });
    assert.deepEqual(ok(read), { round: 2 });
    const unchanged = await annsClient.GET("/sessions/{session_id}/state", {
      params: { ...at(session_id), header: { "If-None-Match": etag(read) } },
    });
    assert.equal(unchanged.response.status, 304);

    const leave = () =>
      bobsClient.DELETE("/sessions/{session_id}/members/{player_id}", { params: { path: { session_id, player_id: bob } } });
    const left = await leave();
    assert.deepEqual(ok(left).members?.map(({ player_id }) => player_id), [ann]);
    assert.ok([404, 409].includes((await leave()).response.status), "who has left does not know it any more");
    const renamed = await annsClient.PUT("/sessions/{session_id}", { params: at(session_id), body: { metadata: { name: "Siege" } } });
    assert.deepEqual(ok(renamed).metadata, { name: "Siege" });
    refused(await annsClient.POST("/sessions/{session_id}/heartbeat", { params: at(session_id) }), 409, "wrong_type");
    assert.equal(ok(await annsClient.DELETE("/sessions/{session_id}", { params: at(session_id) })).status, "terminated");
  });

  test("lists go on where they stopped", async () => {
    const made = [];
    for (let count = 0; count < 3; count += 1) {
      made.unshift(ok(await custom(annsClient), 201).session_id);
    }
    const query = { type: "custom", status: "active", player_id: ann } as const;
    const first = ok(await annsClient.GET("/sessions", { params: { query: { ...query, limit: 2 } } }));
    assert.deepEqual(first.sessions.map(({ session_id }) => session_id), made.slice(0, 2));
    assert.equal(first.has_more, true);
    assert.equal(first.total_count, 3);
    assert.ok(first.next_cursor !== undefined);
    const second = ok(await annsClient.GET("/sessions", { params: { query: { ...query, limit: 2, cursor: first.next_cursor } } }));
    assert.deepEqual(second.sessions.map(({ session_id }) => session_id), made.slice(2));
    assert.notEqual(second.has_more, true);
  });

  test("a player is online once", async () => {
    const online = (replace: boolean) =>
      annsClient.POST("/sessions", { body: { type: "player", player_id: ann, settings: { replace } } });
    const created = ok(await online(false), 201);
    assert.equal(created.presence, "online");
    assert.equal(refused(await online(false), 409, "already_active").session_id, created.session_id);
    const beaten = ok(await annsClient.POST("/sessions/{session_id}/heartbeat", { params: at(created.session_id) }));
    assert.ok(beaten.last_seen_at !== undefined);
    const replacement = ok(await online(true), 201);
    const replaced = ok(await annsClient.GET("/sessions/{session_id}", { params: at(created.session_id) }));
    assert.deepEqual([replaced.status, replaced.end_reason], ["terminated", "replaced"]);
    ok(await annsClient.DELETE("/sessions/{session_id}", { params: at(replacement.session_id) }));
  });

  test("logins have tokens that are good once and can be revoked", async () => {
    const created = ok(await service.POST("/sessions", { body: { type: "auth", player_id: bob } }), 201);
    assert.equal(created.tokens?.token_type, "Bearer");
    const own = client(created.tokens.access_token);
    ok(await own.GET("/sessions"));
    const refresh = (refresh_token: string) =>
      nobody.POST("/sessions/{session_id}/refresh", { params: at(created.session_id), body: { refresh_token } });
    const { tokens } = ok(await refresh(created.tokens.refresh_token));
    assert.ok(tokens !== undefined);
    refused(await refresh("made up"), 401, "unauthorized");
    ok(await client(tokens.access_token).GET("/sessions"));
    const { revoked } = ok(await service.POST("/tokens/revocations", { body: { player_id: bob } }));
    assert.equal(revoked, 1);
    refused(await client(tokens.access_token).GET("/sessions"), 401, "unauthorized");
    refused(await refresh(tokens.refresh_token), 401, "unauthorized");
  });

  test("tickets, guests and seats lead to a socket", async () => {
    const { session_id } = ok(await fight(), 201);
    const ticket = ok(await annsClient.POST("/sessions/{session_id}/tickets", { params: at(session_id) }), 201);
    assert.equal(ticket.player_id, ann);
    assert.match(ticket.url, /^ws:.*ticket=/);
    const named = await service.POST("/sessions/{session_id}/tickets", { params: at(session_id), body: { player_id: bob } });
    assert.equal(ok(named, 201).player_id, bob);
    const guest = ok(await nobody.POST("/guest", { body: {} }), 201);
    const seat = ok(await client(guest.token).POST("/arena/seats", { body: { kind: "duel" } }));
    assert.deepEqual([seat.slot, seat.seats], [0, 2]);
    refused(await client(guest.token).POST("/sessions", { body: { type: "custom", player_id: guest.player_id } }), 403, "forbidden");
  });

  test("analytics count what happened", async () => {
    const all = ok(await admin.GET("/analytics/sessions"));
    assert.equal(all.timeframe, "24h");
    assert.ok(all.total_sessions > 0);
    const some = await admin.GET("/analytics/sessions", {
      params: { query: { timeframe: "1h", session_type: "combat", metric: "count" } },
    });
    assert.ok(ok(some).total_sessions <= all.total_sessions);
  });

  test("every operation was driven", () => {
    assert.deepEqual(Object.entries(driven).filter(([, times]) => times === 0), []);
  });
});
