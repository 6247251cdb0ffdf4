// The parts of the arena page that need no page: the view and its digest against vectors of the Rust crate, the session's
// clock, the way to a seat and the connection, each with the other side, the time and the dice played by the test.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";

import { Arena } from "../../web/arena/arena.js";
import { ApiError } from "../../web/arena/api.js";
import { SessionClock } from "../../web/arena/clock.js";
import { Connection, PING_EVERY_MS, delayMs } from "../../web/arena/connection.js";
import { digest } from "../../web/arena/digest.js";
import { Game } from "../../web/arena/game.js";
import { closeAdvice } from "../../web/arena/protocol.js";
import { apply, viewOf } from "../../web/arena/view.js";
import { Memory, playerOf, readyToTry } from "../../web/docs/memory.js";
import { callsign, clockFace, refusal } from "../../web/arena/words.js";

const { cases } = JSON.parse(await readFile(new URL("vectors.json", import.meta.url), "utf8"));
const [duel] = cases;
const SESSION = "0192f5a8-6c1e-7d40-9b1f-0000abcd1234";
const HANDLE = duel.snapshot.s;

describe("view and digest", () => {
  for (const { name, snapshot, deltas, end } of cases) {
    test(`follows ${name}`, () => {
      let view = viewOf(snapshot);
      let q = snapshot.q;
      for (const delta of deltas) {
        view = apply(view, q, delta);
        assert.equal(digest(view), delta.h);
        q = delta.q;
      }
      assert.deepEqual(view, end.view);
      assert.equal(digest(view), end.h);
    });
  }

  test("has the digests that the conformance kit spells out, and follows its cases of facing and velocity", async () => {
    const kit = new URL("../../protocol/kit/", import.meta.url);
    const read = async (file) => JSON.parse(await readFile(new URL(file, kit), "utf8"));
    for (const { name, view, digest: right } of (await read("digests.json")).vectors) {
      assert.equal(digest(view), right, name);
    }
    let deltas = 0;
    for (const { steps } of (await read("cases/motion.json")).cases) {
      let view;
      let q;
      for (const { server: { t, d } = {} } of steps) {
        if (t === "snapshot") {
          [view, q] = [viewOf(d), d.q];
        } else if (t === "delta") {
          view = apply(view, q, d);
          q = d.q;
          deltas += 1;
        }
      }
    }
    assert.ok(deltas > 10);
  });

  test("leaves the view before a delta as it was", () => {
    const before = structuredClone(duel.snapshot.view);
    apply(duel.snapshot.view, duel.snapshot.q, duel.deltas[0]);
    assert.deepEqual(duel.snapshot.view, before);
  });

  test("says how it drifted", () => {
    const { view, q } = duel.snapshot;
    const drift = (kind) => (error) => error.kind === kind;
    const next = { s: HANDLE, q: q + 1, at: 0 };
    assert.throws(() => apply(view, q, { ...next, q: q + 2 }), drift("gap"));
    assert.throws(() => apply(view, q, { ...next, q }), drift("gap"));
    assert.throws(() => apply(view, q, { ...next, p: [{ i: 1, hp: 3 }] }), drift("slot"));
    assert.throws(() => apply(view, q, { ...next, p: [{ i: 2, player: view.participants[0].player }] }), drift("slot"));
    assert.throws(() => apply(view, q, { ...next, p: [{ i: 0, hp: 3 }], h: duel.snapshot.h }), drift("digest"));
    assert.throws(() => viewOf({ ...duel.snapshot, h: 1 }), drift("digest"));
  });

  test("close codes ask to come back or not, as the protocol's table says", () => {
    const back = [1000, 1001, 1002, 1003, 1006, 1007, 1009, 1011, 1012, 1013, 4400, 4401, 4403, 4404, 4408, 4409, 4410, 4413, 4419, 4429];
    const asked = back.filter((code) => closeAdvice(code).reconnect);
    assert.deepEqual(asked, [1001, 1006, 1011, 1012, 1013, 4408, 4413, 4429]);
    assert.equal(closeAdvice(4409).words, "You opened this fight in another tab.");
    assert.match(closeAdvice(4999).words, /4999/);
  });
});

describe("words", () => {
  test("refusals have words, known and unknown", () => {
    assert.equal(refusal("cooldown", 420), "Not ready yet. Again in 0.4 s.");
    assert.equal(refusal("not_enough_stamina"), "Not enough stamina.");
    assert.equal(refusal("some_new_reason"), "Some new reason.");
  });

  test("a player has one name everywhere, and time has a face", () => {
    const [{ player }] = duel.snapshot.view.participants;
    assert.equal(callsign(player), callsign(player.toUpperCase()));
    assert.notEqual(callsign(player), callsign(duel.end.view.participants[1].player));
    assert.equal(clockFace(61_500), "1:02");
    assert.equal(clockFace(-5), "0:00");
  });
});

describe("session clock", () => {
  test("runs with the local clock, by the quickest message", () => {
    const clock = new SessionClock();
    assert.equal(clock.at(50), 0);
    clock.observe(1000, 100, true);
    assert.equal(clock.at(150), 1050);
    clock.observe(1100, 230, true);
    assert.equal(clock.at(230), 1130, "a message that was slow to arrive does not turn it back");
    clock.observe(1300, 320, true);
    assert.equal(clock.at(320), 1300);
  });

  test("stands still while the session is paused", () => {
    const clock = new SessionClock();
    clock.observe(1000, 0, true);
    clock.observe(1500, 500, false);
    assert.equal(clock.at(9000), 1500);
    clock.observe(1500, 9000, true);
    assert.equal(clock.at(9100), 1600);
  });
});

/** A world for a connection: sockets that the test opens and closes, timers that it fires. */
function world({ ticket, token } = {}) {
  const timers = new Map();
  let serial = 0;
  const seen = { sockets: [], states: [], messages: [], tickets: 0, now: 0 };
  const env = {
    socket: (url, protocol) => {
      const socket = { url, protocol, sent: [], send: (text) => socket.sent.push(JSON.parse(text)), close: (code) => (socket.closed = code ?? true) };
      seen.sockets.push(socket);
      return socket;
    },
    setTimeout: (action, ms) => {
      serial += 1;
      timers.set(serial, { action, ms });
      return serial;
    },
    clearTimeout: (timer) => timers.delete(timer),
    now: () => seen.now,
    dice: () => 1,
  };
  const connection = new Connection({
    session: SESSION,
    ticket: async () => {
      seen.tickets += 1;
      await ticket?.();
      return { url: `ws://host/ws?ticket=${seen.tickets}` };
    },
    token,
    seq: () => seen.seq,
    onMessage: (message) => seen.messages.push(message),
    onState: (state) => seen.states.push(state),
    env,
  });
  const fire = () => {
    assert.equal(timers.size, 1);
    const [[timer, { action, ms }]] = timers;
    timers.delete(timer);
    seen.now += ms;
    action();
    return ms;
  };
  const socket = () => seen.sockets.at(-1);
  const hear = (t, d) => socket().onmessage({ data: JSON.stringify({ t, d }), at: seen.now });
  const join = () => {
    socket().onopen();
    hear("joined", { session: SESSION, s: 1, slot: 0, resume: "snapshot", last_id: 0 });
  };
  return { connection, seen, fire, socket, hear, join, turn: () => new Promise(setImmediate) };
}

describe("connection", () => {
  test("hands in a new token when it is asked for one, where there is one", async () => {
    const tokens = ["next", null];
    const { connection, socket, hear, join, turn } = world({ token: async () => tokens.shift() });
    connection.open("ws://host/ws?ticket=first");
    join();
    hear("expiring", { left_ms: 60000 });
    await turn();
    assert.deepEqual(socket().sent.at(-1), { t: "renew", d: { token: "next" } });
    hear("renewed", { left_ms: 900000 });
    const { length } = socket().sent;
    hear("expiring", { left_ms: 60000 });
    await turn();
    const failing = world({ token: async () => { throw new Error("no answer"); } });
    failing.connection.open("ws://host/ws?ticket=first");
    failing.join();
    failing.hear("expiring", { left_ms: 60000 });
    await turn();
    assert.deepEqual([socket().sent.length, failing.socket().sent.length], [length, 2]);
    assert.deepEqual([connection.state.name, failing.connection.state.name], ["live", "live"]);
  });

  test("a token that comes when the connection has gone is not said on the next", async () => {
    let give;
    const { connection, seen, socket, hear, join, fire, turn } = world({ token: () => new Promise((resolve) => (give = resolve)) });
    connection.open("ws://host/ws?ticket=first");
    join();
    hear("expiring", { left_ms: 1000 });
    socket().onclose({ code: 1006 });
    fire();
    await turn();
    join();
    give("late");
    await turn();
    assert.equal(seen.sockets.length, 2);
    assert.ok(!socket().sent.some(({ t }) => t === "renew"));
  });

  test("joins with the ticket it was given and measures the round trip", () => {
    const { connection, seen, socket, hear, join, fire } = world();
    connection.open("ws://host/ws?ticket=first");
    assert.equal(socket().protocol, "tiltyard.v2.json");
    assert.equal(connection.send({ t: "ready", d: { s: 1 } }), false);
    join();
    assert.deepEqual(socket().sent, [{ t: "join", d: { session: SESSION } }, { t: "ping", d: { n: 1 } }]);
    seen.now += 14;
    hear("pong", { n: 1, time: 5 });
    assert.equal(connection.rttMs, 14);
    assert.equal(fire(), PING_EVERY_MS);
    assert.deepEqual(socket().sent.at(-1), { t: "ping", d: { n: 2 } });
    assert.deepEqual(seen.states.map(({ name }) => name), ["connecting", "joining", "live"]);
    assert.equal(seen.tickets, 0);
  });

  test("comes back with a new ticket and its sequence, later each time, and soon again after a good while", async () => {
    const { connection, seen, socket, join, fire, turn } = world();
    connection.open("ws://host/ws?ticket=first");
    join();
    seen.seq = 41;
    const waits = [];
    for (let i = 0; i < 6; i += 1) {
      socket().onclose({ code: 1006 });
      waits.push(fire());
      await turn();
    }
    assert.deepEqual(waits, [300, 600, 1200, 2400, 4800, 5000]);
    assert.equal(socket().url, "ws://host/ws?ticket=6");
    join();
    assert.deepEqual(socket().sent[0], { t: "join", d: { session: SESSION, seq: 41 } });
    seen.now += 60_000;
    socket().onclose({ code: 1012 });
    assert.equal(connection.state.waitMs, 300);
  });

  test("the delay is random and has a bound", () => {
    assert.equal(delayMs(0, 0), 150);
    assert.equal(delayMs(0, 1), 300);
    assert.equal(delayMs(50, 1), 5000);
  });

  test("gives up in the end, and can be asked to try again", async () => {
    const { connection, seen, socket, fire, turn } = world();
    connection.open("ws://host/ws?ticket=first");
    for (let i = 0; connection.state.name !== "closed"; i += 1) {
      assert.ok(i < 50);
      socket().onclose({ code: 1006 });
      if (connection.state.name === "waiting") {
        fire();
        await turn();
      }
    }
    assert.equal(seen.sockets.length, 25);
    assert.equal(connection.state.again, true);
    connection.retry();
    assert.equal(connection.state.name, "connecting");
  });

  test("does not come back where the code says not to", () => {
    for (const code of [1000, 1002, 4400, 4401, 4403, 4404, 4409, 4410]) {
      const { connection, socket, join } = world();
      connection.open("ws://host/ws?ticket=first");
      join();
      socket().onclose({ code });
      assert.equal(connection.state.name, "closed", String(code));
      assert.equal(connection.state.again, code === 4409);
    }
  });

  test("a join that is refused ends it, or is tried again where that can help", () => {
    for (const [reason, name] of [["no_session", "closed"], ["not_a_participant", "closed"], ["session_ended", "closed"], ["overloaded", "waiting"], ["session_elsewhere", "waiting"]]) {
      const { connection, socket, hear } = world();
      connection.open("ws://host/ws?ticket=first");
      socket().onopen();
      hear("error", { reason, message: "" });
      assert.equal(connection.state.name, name, reason);
    }
  });

  test("a ticket that is refused ends it, one that cannot be had now is asked for again", async () => {
    for (const [status, name] of [[0, "waiting"], [401, "closed"], [403, "closed"], [404, "closed"], [409, "closed"], [429, "waiting"], [503, "waiting"]]) {
      const refuse = () => {
        throw new ApiError(status, undefined, "", status === 429 ? 7000 : undefined);
      };
      const { connection, turn } = world({ ticket: refuse });
      connection.open();
      await turn();
      assert.equal(connection.state.name, name, String(status));
      assert.equal(connection.state.waitMs, { 0: 300, 429: 7000, 503: 300 }[status]);
    }
  });

  test("silence and a join that is never answered count as losses", () => {
    const silent = world();
    silent.connection.open("ws://host/ws?ticket=first");
    silent.join();
    for (let i = 0; silent.connection.state.name === "live"; i += 1) {
      assert.ok(i < 10);
      silent.fire();
    }
    assert.equal(silent.connection.state.name, "waiting");
    assert.equal(silent.seen.now, 5 * PING_EVERY_MS);

    const mute = world();
    mute.connection.open("ws://host/ws?ticket=first");
    mute.socket().onopen();
    mute.fire();
    assert.equal(mute.connection.state.name, "waiting");
    assert.equal(mute.socket().closed, true);
  });

  test("once closed by the player nothing of it comes to life again", async () => {
    const { connection, seen, turn } = world();
    connection.open();
    connection.close();
    await turn();
    assert.equal(seen.sockets.length, 0);
    connection.hasten();
    connection.retry();
    assert.equal(connection.state.name, "closed");
  });
});

/** An arena whose server is this list of answers, and what was asked of it. */
function arenaWith({ store = {}, answers = {} }) {
  const asked = [];
  const api = Object.fromEntries(
    ["guest", "seat", "ticket", "offers"].map((name) => [
      name,
      async (...args) => {
        asked.push([name, ...args]);
        const answer = answers[name]?.shift();
        if (answer instanceof Error) {
          throw answer;
        }
        return answer;
      },
    ]),
  );
  const kept = { player: null, fight: null, claim: async () => true, ...store };
  const dialed = [];
  const dial = (options) => {
    const connection = { open: (url) => dialed.push({ options, url }), close: () => {}, retry: () => {}, send: () => true };
    return connection;
  };
  const game = new Game(() => 0);
  return { arena: new Arena({ api, store: kept, game, dial }), asked, dialed, store: kept, game };
}

const wish = (kind) => ({ kind, ruleset: "default", difficulty: "normal" });
const GUEST = { token: "t1", player_id: "p1", expires_at: "" };
const SEAT = { session_id: SESSION, slot: 0, seats: 2, ticket: "x", url: "ws://host/ws?ticket=x", expires_at: "" };

describe("arena", () => {
  test("a guest's token is kept when it is renewed, and one that was brought along is not renewed", async () => {
    const { arena, asked, dialed, store } = arenaWith({
      answers: { guest: [GUEST, { ...GUEST, token: "t2" }, { ...GUEST, player_id: "other" }], seat: [SEAT, SEAT] },
    });
    await arena.enter("duel");
    assert.equal(await dialed[0].options.token(), "t2");
    assert.deepEqual(asked.at(-1), ["guest", "t1"]);
    assert.equal(store.player.token, "t2");
    assert.equal(await dialed[0].options.token(), null, "of another guest");
    assert.equal(store.player.token, "t2");
    arena.leave();
    await arena.useToken("brought");
    await arena.enter("duel");
    assert.equal(await dialed[1].options.token(), null);
  });

  test("a guest takes a seat and connects, once however often it is asked", async () => {
    const { arena, asked, dialed, store } = arenaWith({ answers: { guest: [GUEST], seat: [SEAT] } });
    await Promise.all([arena.enter("duel"), arena.enter("duel"), arena.enter("nonsense")]);
    assert.deepEqual(asked, [["guest"], ["seat", "t1", wish("duel")]]);
    assert.equal(dialed[0].url, SEAT.url);
    assert.equal(arena.stage, "fight");
    assert.deepEqual(store.fight, { session_id: SESSION, kind: "duel", seats: 2 });
  });

  test("a guest's token that is not valid any more is replaced", async () => {
    const { arena, asked } = arenaWith({
      store: { player: { token: "old", player_id: "p0", guest: true } },
      answers: { guest: [GUEST], seat: [new ApiError(401, "unauthorized", ""), SEAT] },
    });
    await arena.enter("brawl");
    assert.deepEqual(asked, [["seat", "old", wish("brawl")], ["guest"], ["seat", "t1", wish("brawl")]]);
    assert.equal(arena.stage, "fight");
  });

  test("a server without guests is explained, and a token that is brought along is used", async () => {
    const { arena, asked } = arenaWith({ answers: { guest: [new ApiError(403, "forbidden", "")], seat: [SEAT] } });
    await arena.enter("duel");
    assert.equal(arena.stage, "gate");
    assert.equal(arena.problem.kind, "token");
    await arena.useToken("mine");
    assert.equal(arena.problem, null);
    await arena.enter("duel");
    assert.deepEqual(asked.at(-1), ["seat", "mine", wish("duel")]);
  });

  test("the rules that can be chosen come from the server, and are asked for with the seat", async () => {
    const rulesets = [{ name: "turns", title: "In turns", kinds: ["duel"] }];
    const { arena, asked } = arenaWith({ answers: { offers: [{ rulesets }], guest: [GUEST], seat: [SEAT] } });
    await arena.look();
    assert.deepEqual(arena.rulesets, rulesets);
    arena.wish = { ruleset: "turns", difficulty: "hard" };
    await arena.enter("solo");
    assert.deepEqual(asked.at(-1), ["seat", "t1", { kind: "solo", ruleset: "turns", difficulty: "hard" }]);
  });

  test("a server that does not tell its rules is played all the same", async () => {
    const { arena } = arenaWith({ answers: { offers: [new ApiError(503, "overloaded", "")] } });
    await arena.look();
    assert.deepEqual(arena.rulesets, []);
    assert.equal(arena.problem, null);
  });

  test("a refusal is shown in words", async () => {
    const { arena } = arenaWith({ answers: { guest: [GUEST], seat: [new ApiError(503, "too_many_sessions", "", 2000)] } });
    await arena.enter("duel");
    assert.deepEqual(arena.problem, { kind: "refused", words: "The server has all the fights it can hold. Try again later. Again in 2.0 s." });
  });

  test("a reloaded tab goes on with its fight; one that ended meanwhile leads back to the gate", async () => {
    const fight = { session_id: SESSION, kind: "duel", seats: 2 };
    const { arena, asked, dialed, store } = arenaWith({ store: { player: GUEST, fight } });
    await arena.start("brawl");
    assert.equal(arena.stage, "fight");
    assert.equal(dialed[0].url, undefined, "it needs a ticket of its own");
    assert.deepEqual(asked, []);
    dialed[0].options.onState({ name: "closed", code: 4404, words: "Gone.", again: false });
    assert.equal(arena.stage, "gate");
    assert.equal(store.fight, null);
    assert.match(arena.problem.words, /^Gone\./);
  });

  test("a duplicated tab becomes a player of its own", async () => {
    const fight = { session_id: SESSION, kind: "duel", seats: 2 };
    const { arena, store } = arenaWith({ store: { player: GUEST, fight, claim: async () => false } });
    await arena.start("");
    assert.equal(arena.stage, "gate");
    assert.equal(arena.problem.kind, "twin");
    assert.equal(store.player, null);
  });
});

describe("what the API's page carries from an answer to the next request", () => {
  const [A, B, X] = ["01980c5e-7f3a-7c41-9d2e-5b8a1c6f0e11", "01980c5f-02c9-7e55-a1f3-3d7b6e9c8a44", SESSION];
  const session = { parameters: [{ $ref: "#/components/parameters/SessionId" }] };
  const match = [{ $ref: "#/components/parameters/IfMatch" }];
  const spec = {
    paths: {
      "/sessions": { post: { requestBody: { content: { json: { examples: { one: { value: { player_id: A } } } } } } } },
      "/sessions/{session_id}": { ...session, put: { parameters: match } },
      "/sessions/{session_id}/refresh": { ...session, post: {} },
      "/combat/sessions": { post: { requestBody: { content: { json: { example: { participants: [A, B] } } } } } },
      "/combat/sessions/{session_id}/ready": { ...session, post: {} },
    },
    components: {
      parameters: {
        IfMatch: { name: "If-Match", in: "header", example: '"7"' },
        PlayerId: { name: "player_id", in: "path" },
      },
    },
  };

  test("examples have the caller and players of their own, and no headers that would not fit", () => {
    let n = 0;
    const ready = readyToTry(spec, "me", () => `new${(n += 1)}`);
    assert.deepEqual(ready.paths["/combat/sessions"].post.requestBody.content.json.example.participants, ["me", "new1"]);
    assert.equal(ready.paths["/sessions"].post.requestBody.content.json.examples.one.value.player_id, "me");
    assert.deepEqual(ready.components.parameters.IfMatch, { name: "If-Match", in: "header" });
    assert.equal(ready.components.parameters.PlayerId.example, "new1");
    assert.equal(spec.components.parameters.IfMatch.example, '"7"', "the document is left as it is");
    const other = readyToTry(spec, null).paths["/combat/sessions"].post.requestBody.content.json.example.participants;
    assert.ok(new Set([A, B, ...other]).size === 4, "nobody is asked for twice");
  });

  test("a session goes where its kind is asked for, with its newest ETag", () => {
    const memory = new Memory(spec);
    const paths = (fills) => fills.map(({ path, name, value, body }) => [path, name ?? "body", value ?? body]);
    const ok = { status: 201, url: "http://host/sessions", headers: { etag: '"1"' } };
    const custom = memory.learn("/sessions", "post", { ...ok, body: { session_id: A, type: "custom" } });
    assert.deepEqual(paths(custom), [
      ["/sessions/{session_id}", "session_id", A],
      ["/sessions/{session_id}", "If-Match", '"1"'],
    ]);
    const auth = { session_id: B, type: "auth", tokens: { refresh_token: "r" } };
    const login = memory.learn("/sessions", "post", { ...ok, headers: {}, body: auth });
    assert.deepEqual(paths(login), [
      ["/sessions/{session_id}/refresh", "body", JSON.stringify({ refresh_token: "r" }, null, 2)],
      ["/sessions/{session_id}", "session_id", B],
      ["/sessions/{session_id}", "If-Match", ""],
      ["/sessions/{session_id}/refresh", "session_id", B],
    ]);
    const fight = memory.learn("/arena/seats", "post", { ...ok, status: 200, headers: {}, body: { session_id: X, ticket: "t" } });
    assert.ok(paths(fight).some(([path, , value]) => path === "/combat/sessions/{session_id}/ready" && value === X));
    assert.equal(memory.ticket, "t");
    assert.deepEqual(memory.learn("/sessions", "post", { ...ok, status: 409, body: { session_id: A } }), []);
    const read = { status: 200, url: `http://host/sessions/${X}/state`, headers: { etag: '"5"' }, body: {} };
    assert.deepEqual(memory.learn("/sessions/{session_id}/state", "get", read).find(({ name }) => name === "If-Match").value, '"5"');
  });

  test("the player of a token is read where there is one", () => {
    const token = (sub) => `x.${btoa(JSON.stringify({ sub }))}.x`;
    assert.equal(playerOf(token(A)), A);
    assert.equal(playerOf(token("admin")), null);
    assert.equal(playerOf("nonsense"), null);
  });
});
