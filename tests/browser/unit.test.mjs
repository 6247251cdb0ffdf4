// The parts of the pages that need no page: words, the way to a seat, and what the API's page remembers, each with the other side
// played by the test.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Arena } from "../../web/arena/arena.js";
import { Game } from "../../web/arena/game.js";
import { callsign, clockFace, closed, refusal } from "../../web/arena/words.js";
import { HubError, comesBack } from "../../web/client/index.js";
import { Memory, playerOf, readyToTry } from "../../web/docs/memory.js";

const SESSION = "0192f5a8-6c1e-7d40-9b1f-0000abcd1234";

describe("words", () => {
  test("refusals have words, known and unknown", () => {
    assert.equal(refusal("cooldown", 420), "Not ready yet. Again in 0.4 s.");
    assert.equal(refusal("not_enough_stamina"), "Not enough stamina.");
    assert.equal(refusal("some_new_reason"), "Some new reason.");
  });

  test("a player has one name everywhere, and time has a face", () => {
    const player = "0192f5a8-6c1e-7d40-9b1f-0a1b2c3d4e5f";
    assert.equal(callsign(player), callsign(player.toUpperCase()));
    assert.notEqual(callsign(player), callsign("0192f5a8-7777-7d40-9b1f-fedcba987654"));
    assert.equal(clockFace(61_500), "1:02");
    assert.equal(clockFace(-5), "0:00");
  });

  test("a fight that is closed says why, and is taken back where that can help", () => {
    for (const code of [1000, 1002, 1003, 1007, 1009, 4400, 4401, 4403, 4404, 4410]) {
      assert.doesNotMatch(closed({ code }).words, /code/, String(code));
      assert.equal(closed({ code }).again, false, String(code));
    }
    assert.deepEqual(closed({ code: 4409 }), { words: "You opened this fight in another tab.", again: true });
    assert.ok(comesBack(1006));
    assert.deepEqual(closed({ code: 1006 }), { words: "The server could not be reached.", again: true });
    assert.match(closed({ code: 4999 }).words, /4999/);
  });
});

/** An arena whose server is this list of answers, what was asked of it, and the fights that it has connected to. */
function arenaWith({ store = {}, answers = {} }) {
  const asked = [];
  const hub = Object.fromEntries(
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
    const heard = [];
    const on = (name, act) => {
      heard.push([name, act]);
      return () => {};
    };
    const fight = { view: null, on, close: () => (fight.closed = true), reopen: () => (fight.reopened = true) };
    dialed.push({ options, fight, tell: (name, told) => heard.forEach(([one, act]) => one === name && act(told)) });
    return fight;
  };
  hub.base = ".";
  return { arena: new Arena({ hub, store: kept, game: new Game(), dial }), hub, asked, dialed, store: kept };
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

  test("where the fight goes on is told once the page's own server was gone", async () => {
    const tickets = ["ws://host/ws?ticket=y", "ws://other:81/ws?ticket=z"].map((url) => ({ url }));
    const { arena, hub, dialed } = arenaWith({ answers: { guest: [GUEST], seat: [SEAT], ticket: tickets } });
    await arena.enter("duel");
    await dialed[0].options.ticket();
    assert.equal(arena.refuge, null);
    hub.base = "http://another:81";
    assert.equal((await dialed[0].options.ticket()).url, "ws://other:81/ws?ticket=z");
    assert.equal(arena.refuge, "other:81", "where the ticket leads, whoever gave it");
  });

  test("a token that cannot be renewed now is no reason to leave", async () => {
    const { arena, dialed } = arenaWith({ answers: { guest: [GUEST, new HubError(503, "overloaded", "")], seat: [SEAT] } });
    await arena.enter("duel");
    assert.equal(await dialed[0].options.token(), null);
    assert.equal(arena.stage, "fight");
  });

  test("a guest takes a seat and connects, once however often it is asked", async () => {
    const { arena, asked, dialed, store } = arenaWith({ answers: { guest: [GUEST], seat: [SEAT] } });
    await Promise.all([arena.enter("duel"), arena.enter("duel"), arena.enter("nonsense")]);
    assert.deepEqual(asked, [["guest"], ["seat", "t1", wish("duel")]]);
    assert.equal(dialed[0].options.url, SEAT.url);
    assert.equal(arena.stage, "fight");
    assert.deepEqual(store.fight, { session_id: SESSION, kind: "duel", seats: 2 });
  });

  test("a guest's token that is not valid any more is replaced", async () => {
    const { arena, asked } = arenaWith({
      store: { player: { token: "old", player_id: "p0", guest: true } },
      answers: { guest: [GUEST], seat: [new HubError(401, "unauthorized", ""), SEAT] },
    });
    await arena.enter("brawl");
    assert.deepEqual(asked, [["seat", "old", wish("brawl")], ["guest"], ["seat", "t1", wish("brawl")]]);
    assert.equal(arena.stage, "fight");
  });

  test("a server without guests is explained, and a token that is brought along is used", async () => {
    const { arena, asked } = arenaWith({ answers: { guest: [new HubError(403, "forbidden", "")], seat: [SEAT] } });
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
    const { arena, asked } = arenaWith({ answers: { offers: [rulesets], guest: [GUEST], seat: [SEAT] } });
    await arena.look();
    assert.deepEqual(arena.rulesets, rulesets);
    arena.wish = { ruleset: "turns", difficulty: "hard" };
    await arena.enter("solo");
    assert.deepEqual(asked.at(-1), ["seat", "t1", { kind: "solo", ruleset: "turns", difficulty: "hard" }]);
  });

  test("a server that does not tell its rules is played all the same", async () => {
    const { arena } = arenaWith({ answers: { offers: [new HubError(503, "overloaded", "")] } });
    await arena.look();
    assert.deepEqual(arena.rulesets, []);
    assert.equal(arena.problem, null);
  });

  test("a refusal is shown in words", async () => {
    const refused = [new HubError(503, "too_many_sessions", "", 2000), new HubError(0, "unreachable", "TypeError: failed")];
    const { arena } = arenaWith({ answers: { guest: [GUEST], seat: refused } });
    await arena.enter("duel");
    assert.deepEqual(arena.problem, { kind: "refused", words: "The server has all the fights it can hold. Try again later. Again in 2.0 s." });
    await arena.enter("duel");
    assert.deepEqual(arena.problem, { kind: "refused", words: "The server does not answer." });
  });

  test("a reloaded tab goes on with its fight; one that ended meanwhile leads back to the gate", async () => {
    const fight = { session_id: SESSION, kind: "duel", seats: 2 };
    const { arena, asked, dialed, store } = arenaWith({ store: { player: GUEST, fight } });
    await arena.start("brawl");
    assert.equal(arena.stage, "fight");
    assert.equal(dialed[0].options.url, undefined, "it needs a ticket of its own");
    assert.deepEqual(asked, []);
    dialed[0].tell("closed", { code: 4404, why: "there is no such session" });
    assert.equal(arena.stage, "gate");
    assert.equal(store.fight, null);
    assert.match(arena.problem.words, /^This fight does not exist any more\./);
    assert.deepEqual(store.player, GUEST, "the player is as good as before");
  });

  test("a token that is not valid any more is forgotten with its fight, and a fight that another tab has can be taken back", async () => {
    const fight = { session_id: SESSION, kind: "duel", seats: 2 };
    const { arena, dialed, store } = arenaWith({ store: { player: GUEST, fight } });
    await arena.start("");
    dialed[0].tell("closed", { code: 4409, why: "" });
    assert.equal(arena.stage, "fight");
    arena.retry();
    assert.equal(dialed[0].fight.reopened, true);
    dialed[0].tell("closed", { code: 4401, why: "" });
    assert.deepEqual([arena.stage, store.player, store.fight], ["gate", null, null]);
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
