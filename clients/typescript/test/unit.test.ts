// What the kit leaves to each client.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { ServerClock, SessionClock, comesBack, connect, delayMs } from "@tiltyard/client";

import { Actions, ID_MAX, WINDOW, type Action } from "../dist/actions.js";
import { Emitter } from "../dist/emitter.js";
import { World } from "./world.js";

const SESSION = "0192f5a8-6c1e-7d40-9b1f-0000abcd1234";
const order = { kind: "defend" } as const;
const begun = (actions: Actions): Action => actions.begin(order) as Action;

describe("delays", () => {
  test("are spread by chance, grow, and have an end", () => {
    for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 4408, 4413, 4419, 4429]) {
      assert.ok(comesBack(code));
      const middle = [0, 1, 2, 3, 4, 5, 20].map((attempt) => delayMs(code, attempt, 0.5));
      assert.deepEqual(middle, middle.toSorted((one, other) => one - other), `${code} grows`);
      assert.ok(delayMs(code, 20, 1) <= (code === 4429 ? 400_000 : 15_000), `${code} ends`);
      assert.ok(delayMs(code, 3, 0) < delayMs(code, 3, 0.99) / 1.3, `${code} is spread`);
    }
    assert.ok(delayMs(1012, 0, 0) * 5 < delayMs(1012, 0, 1), "those of a restart more than others");
  });

  test("of a flood are never shorter than the server's: 5 s, and twice that each time", () => {
    for (let attempt = 0; attempt < 7; attempt += 1) {
      assert.ok(delayMs(4429, attempt, 0) >= Math.min(300_000, 5_000 * 2 ** attempt), `${attempt}`);
    }
  });
});

describe("actions", () => {
  test("have rising ids above those that the server knows", () => {
    const actions = new Actions();
    actions.joined(41);
    assert.equal(begun(actions).id, 42);
    actions.joined(7);
    assert.equal(begun(actions).id, 43);
    assert.deepEqual(actions.pending.map(({ id }) => id), [42, 43]);
  });

  test("tell their answers once", async () => {
    const actions = new Actions();
    const [one, other, third] = [begun(actions), begun(actions), begun(actions)];
    assert.ok(actions.ack({ s: 1, id: 1, q: 9 }));
    assert.ok(!actions.refused({ s: 1, id: 1, reason: "busy" }));
    assert.ok(actions.refused({ s: 1, id: 2, reason: "too_fast", x: 3, y: 4, allowed_cm: 5 }));
    actions.end();
    assert.deepEqual(await one.answer, { kind: "ack", q: 9 });
    assert.deepEqual(await other.answer, { kind: "refused", reason: "too_fast", place: { x: 3, y: 4 }, allowedCm: 5 });
    assert.deepEqual(await third.answer, { kind: "unknown" });
  });

  test("are no more at once than the server remembers, and have no ids without end", () => {
    const actions = new Actions();
    for (let count = 0; count < WINDOW; count += 1) begun(actions);
    assert.equal(actions.begin(order), "window_full");
    const late = new Actions();
    late.joined(ID_MAX - 1);
    assert.equal(begun(late).id, ID_MAX);
    assert.equal(late.begin(order), "bad_action_id");
  });

  test("without a connection are refused at once", async () => {
    const world = new World();
    const fight = connect({ session: SESSION, ticket: () => Promise.resolve("ws://127.0.0.1/"), env: world });
    assert.deepEqual(await fight.attack(1).answer, { kind: "refused", reason: "offline" });
    assert.deepEqual(fight.pending, []);
  });
});

describe("a connection", () => {
  test("gives up after a while, and says so", async () => {
    const world = new World();
    const fight = connect({ session: SESSION, ticket: () => Promise.resolve("ws://127.0.0.1/"), giveUpMs: 20_000, env: world });
    let closed = 0;
    fight.on("closed", () => (closed += 1));
    for (let tries = 0; tries < 50 && closed === 0; tries += 1) {
      await world.settle();
      world.line.end(1006);
      await world.pass(20_000, () => world.line.closedBy === null);
    }
    assert.equal(closed, 1);
    assert.equal(fight.status, "closed");
    assert.equal(await fight.over, null);
  });

  test("that did not wait to be closed can be opened again", async () => {
    const world = new World();
    const fight = connect({ session: SESSION, ticket: () => Promise.resolve("ws://127.0.0.1/"), env: world });
    await world.settle();
    world.line.accept();
    world.line.end(4409);
    assert.deepEqual([fight.status, fight.closing?.code], ["closed", 4409]);
    fight.reopen();
    await world.settle();
    assert.equal(world.lines.length, 2);
    world.line.accept();
    assert.deepEqual(world.line.said.map(({ message }) => message.t), ["join"]);
  });

  test("uses a ticket once, also the one that there was at first", async () => {
    const world = new World();
    const [url, later] = ["ws://127.0.0.1/ws?ticket=first", "ws://127.0.0.1/ws?ticket=later"];
    connect({ session: SESSION, url, ticket: () => Promise.resolve({ url: later }), env: world });
    assert.deepEqual(world.lines.map((line) => line.url), [url], "at once");
    world.line.end(1006);
    await world.pass(5_000, () => world.lines.length === 2);
    assert.deepEqual(world.lines.map((line) => line.url), [url, later]);
  });

  test("has no way back without tickets", async () => {
    const world = new World();
    const fight = connect({ session: SESSION, url: "ws://127.0.0.1/ws?ticket=only", env: world });
    world.line.end(1006);
    await world.pass(5_000, () => fight.status === "closed");
    assert.equal(fight.closing?.code, 4401);
  });

  test("does not wait where it is told that it need not", async () => {
    const world = new World();
    const fight = connect({ session: SESSION, ticket: () => Promise.resolve("ws://127.0.0.1/"), env: world });
    await world.settle();
    world.line.end(1013);
    assert.equal(fight.status, "waiting");
    fight.connection.hasten();
    await world.settle();
    assert.equal(world.lines.length, 2);
  });

  test("to a server that speaks another language is given up", async () => {
    const world = new World();
    const fight = connect({ session: SESSION, ticket: () => Promise.resolve("ws://127.0.0.1/"), env: world });
    await world.settle();
    world.line.onopen?.();
    assert.deepEqual([fight.status, fight.closing?.code], ["closed", 1002]);
  });

  test("that lives by a token that nobody can renew is left as it is", async () => {
    const world = new World();
    const told: string[] = [];
    const options = { ticket: () => Promise.resolve("ws://127.0.0.1/"), token: () => Promise.resolve(null), env: world };
    const fight = connect({ session: SESSION, ...options });
    fight.on("error", ({ reason }) => told.push(reason));
    await world.settle();
    world.line.accept();
    world.line.say({ t: "expiring", d: { left_ms: 60_000 } });
    await world.settle();
    assert.deepEqual([world.line.said.map(({ message }) => message.t), told], [["join"], []]);
  });

  test("knows when the message came that it tells of", async () => {
    const world = new World();
    const fight = connect({ session: SESSION, ticket: () => Promise.resolve("ws://127.0.0.1/"), env: world });
    await world.settle();
    world.line.accept();
    let heard = 0;
    fight.on("error", () => (heard = fight.connection.heardAt));
    const message = { t: "error", d: { reason: "overloaded", re: "ready" } };
    world.line.onmessage?.({ data: JSON.stringify(message), at: 123.5 } as { data: string });
    assert.equal(heard, 123.5);
  });

  test("without a socket to be had says so", async () => {
    const env = {
      socket() {
        throw new Error("no sockets today");
      },
    };
    const fight = connect({ session: SESSION, ticket: () => Promise.resolve("ws://127.0.0.1/"), env });
    await new World().settle();
    assert.match(fight.closing?.why ?? "", /no sockets today/);
  });
});

describe("time", () => {
  test("is known roughly before the first pong, and never goes back behind what a session was told", () => {
    const server = new ServerClock();
    const session = new SessionClock(server);
    assert.deepEqual([server.offset, server.latency, session.at(5)], [null, null, 0]);
    server.heard(100, 1_040);
    server.heard(200, 1_150);
    session.set({ at: 70, time: 1_150 }, true);
    assert.equal(server.offset, 950);
    assert.equal(session.at(260), 130);
    server.pong(200, 240, 1_100);
    assert.equal(server.offset, 880);
    assert.equal(session.at(260), 70);
  });

  test("follows a clock that drifts", () => {
    const server = new ServerClock();
    for (let turn = 0; turn < 40; turn += 1) server.pong(turn * 100, turn * 100 + 20, turn * 101 + 10);
    assert.ok(server.offset !== null && Math.abs(server.offset - 32) < 4, `${server.offset}`);
  });
});

test("a listener that throws keeps nobody from hearing, and is not passed over in silence", (t) => {
  const later: (() => void)[] = [];
  t.mock.method(globalThis, "queueMicrotask", (task: () => void) => later.push(task));
  const emitter = new Emitter<{ word: string }>();
  const heard: string[] = [];
  emitter.on("word", () => {
    throw new Error("a bad listener");
  });
  const off = emitter.on("word", (word) => heard.push(word));
  emitter.emit("word", "one");
  off();
  emitter.emit("word", "two");
  assert.deepEqual(heard, ["one"]);
  assert.equal(later.length, 2);
  assert.throws(() => later[0]?.(), /a bad listener/);
});
