// Sessions that are no fights: a custom session with its state and its talk, and a player's presence.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Connection, Fight, Pulse, Room, merged, type Json, type RoomEvents } from "@tiltyard/client";

import { ANN, BIRTH, BOB, S, SESSION, room, said, ticket } from "./seats.js";
import { World } from "./world.js";

/** A custom session that is joined with this state, and what it has told. */
async function begun(state: Json): Promise<{ world: World; room: Room; told: [keyof RoomEvents, unknown][] }> {
  const world = new World();
  const inside = new Room(SESSION, new Connection({ ticket, env: world }));
  const told: [keyof RoomEvents, unknown][] = [];
  for (const name of ["status", "joined", "state", "relayed", "presence", "missed", "left", "error", "closed"] as const) {
    inside.on(name, (what) => told.push([name, what]));
  }
  await world.settle();
  world.line.accept();
  room(world, state);
  return { world, room: inside, told };
}

const last = (world: World) => said(world).at(-1);

describe("a room", () => {
  test("is joined with its state and its members", async () => {
    const { world, room, told } = await begun({ map: "yard" });
    assert.deepEqual(said(world), [{ t: "join", d: { session: SESSION } }]);
    assert.deepEqual([room.status, room.version, room.state, room.members], ["live", 1, { map: "yard" }, [ANN, BOB]]);
    assert.deepEqual(told.map(([name]) => name), ["status", "status", "joined"]);
  });

  test("has its state changed by patches, with an answer for each", async () => {
    const { world, room } = await begun({ map: "yard", votes: { ann: 1 } });
    const [first, second] = [room.patch({ votes: { bob: 2 } }), room.patch({ map: null }, 1)];
    assert.deepEqual(last(world), { t: "patch", d: { s: S, id: 2, merge: { map: null }, if: 1 } });
    assert.deepEqual(room.state, { map: "yard", votes: { ann: 1 } }, "it is the server's to change");
    world.line.say({ t: "state", d: { s: S, version: 2, merge: { votes: { bob: 2 } }, by: ANN, time: BIRTH } });
    world.line.say({ t: "ack", d: { s: S, id: 1, version: 2 } });
    world.line.say({ t: "refused", d: { s: S, id: 2, reason: "version_conflict", version: 2 } });
    const [one, other] = await Promise.all([first, second]);
    assert.deepEqual(one, { kind: "ack", version: 2 });
    assert.deepEqual(other, { kind: "refused", reason: "version_conflict", version: 2 });
    assert.deepEqual([room.version, room.state], [2, { map: "yard", votes: { ann: 1, bob: 2 } }]);
  });

  test("takes a whole state in place of changes that it was too slow for, and nothing that is older", async () => {
    const { world, room, told } = await begun({ a: 1 });
    world.line.say({ t: "state", d: { s: S, version: 9, state: [1, 2], time: BIRTH } });
    world.line.say({ t: "state", d: { s: S, version: 8, merge: { b: 1 }, time: BIRTH } });
    assert.deepEqual([room.version, room.state], [9, [1, 2]]);
    const changes = told.filter(([name]) => name === "state").map(([, what]) => (what as RoomEvents["state"]).before);
    assert.deepEqual(changes, [{ a: 1 }]);
  });

  test("joins again where a version is missing, and takes nothing until it has the whole", async () => {
    const { world, room: inside } = await begun({ a: 1 });
    for (const version of [3, 4]) {
      world.line.say({ t: "state", d: { s: S, version, merge: { b: version }, time: BIRTH } });
    }
    assert.deepEqual([inside.status, inside.version, inside.state], ["joining", 1, { a: 1 }]);
    await world.pass(1_500, () => said(world).length > 1);
    assert.deepEqual(last(world), { t: "join", d: { session: SESSION } });
    room(world, { a: 1, b: 4 }, 4);
    assert.deepEqual([inside.status, inside.version, inside.state], ["live", 4, { a: 1, b: 4 }]);
  });

  test("relays to all or to one, and tells what others say, who comes and goes, and what is lost", async () => {
    const { world, room, told } = await begun(null);
    const [all, one] = [room.relay({ go: true }), room.relay("psst", BOB)];
    assert.deepEqual(said(world).slice(1), [
      { t: "relay", d: { s: S, id: 1, data: { go: true } } },
      { t: "relay", d: { s: S, id: 2, data: "psst", to: BOB } },
    ]);
    world.line.say({ t: "ack", d: { s: S, id: 1, to: 3 } });
    world.line.say({ t: "refused", d: { s: S, id: 2, reason: "not_here", retry_ms: 5 } });
    assert.equal((await all).kind === "ack" && ((await all) as { to: number }).to, 3);
    assert.deepEqual(await one, { kind: "refused", reason: "not_here", retryMs: 5 });
    told.length = 0;
    const relayed = { s: S, n: 7, from: BOB, data: [1], time: BIRTH };
    const presence = { s: S, player: BOB, why: "returned", members_here: 2 };
    const missed = { s: S, from: 8, to: 11 };
    world.line.say({ t: "relayed", d: relayed });
    world.line.say({ t: "presence", d: presence });
    world.line.say({ t: "missed", d: missed });
    assert.deepEqual(told, [["relayed", relayed], ["presence", presence], ["missed", missed]]);
    assert.deepEqual(room.here, [ANN, BOB]);
    world.line.say({ t: "presence", d: { s: S, player: ANN, why: "lost", members_here: 1 } });
    assert.deepEqual(room.here, [BOB]);
  });

  test("keeps its state where something else of it has changed", async () => {
    const { world, room } = await begun([1]);
    world.line.say({ t: "state", d: { s: S, version: 2, members: [BOB], time: BIRTH } });
    assert.deepEqual([room.version, room.state, room.members, room.here], [2, [1], [BOB], [ANN]]);
    world.line.say({ t: "state", d: { s: S, version: 5, state: null, members: [ANN, BOB], here: [BOB], time: BIRTH } });
    assert.deepEqual([room.version, room.state, room.members, room.here], [5, null, [ANN, BOB], [BOB]]);
  });

  test("comes back by itself with the newest state; what had no answer is not known, and is not done twice", async () => {
    const { world, room } = await begun({ a: 1 });
    const patch = room.patch({ a: 2 });
    world.line.end(1006);
    assert.deepEqual(await patch, { kind: "unknown" });
    assert.deepEqual(await room.relay(1), { kind: "refused", reason: "offline" });
    await world.pass(5_000, () => world.lines.length === 2);
    world.line.accept();
    room.on("joined", () => void room.relay("back"));
    const state = { a: 2 };
    world.line.say({ t: "joined", d: { session: SESSION, s: S, type: "custom", members: [ANN], here: [ANN], version: 5, state, time: BIRTH } });
    assert.deepEqual([room.status, room.version, room.state, room.members], ["live", 5, state, [ANN]]);
    assert.deepEqual(said(world).map(({ t, d }) => [t, "id" in d ? d.id : 0]), [["join", 0], ["relay", 3]], "ids rise");
  });

  test("is closed for whoever is removed from it", async () => {
    const { world, room, told } = await begun(null);
    world.line.say({ t: "left", d: { s: S, why: "removed" } });
    assert.deepEqual([room.status, room.closing?.code], ["closed", 4403]);
    assert.ok(told.some(([name]) => name === "left"));
  });

  test("is no fight, and a fight is no room", async () => {
    const world = new World();
    const fight = new Fight(SESSION, new Connection({ ticket, env: world }));
    const errors: string[] = [];
    fight.on("error", ({ reason }) => errors.push(reason));
    await world.settle();
    world.line.accept();
    room(world, null);
    assert.deepEqual([errors, fight.status], [["wrong_type"], "closed"]);
  });
});

test("merge patches do what RFC 7396 says", () => {
  const cases: [Json, Json, Json][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [["a", "b"], ["c", "d"], ["c", "d"]],
    [{ a: "foo" }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, wanted] of cases) {
    const before = structuredClone(target);
    assert.deepEqual(merged(target, patch), wanted);
    assert.deepEqual(target, before, "what was before stays as it was");
  }
  const odd = merged({}, JSON.parse('{"__proto__":{"a":1}}') as Json);
  assert.deepEqual([Object.keys(odd as object), (odd as { a?: number }).a], [["__proto__"], undefined]);
});

describe("a pulse", () => {
  async function begun(expiresAt: number): Promise<{ world: World; pulse: Pulse; beats: number[] }> {
    const world = new World();
    const pulse = new Pulse(SESSION, new Connection({ ticket, env: world }));
    const beats: number[] = [];
    pulse.on("beat", ({ expiresAt }) => beats.push(expiresAt - BIRTH));
    await world.settle();
    world.line.accept();
    const player = { type: "player", version: 1, expires_at: expiresAt };
    world.line.say({ t: "joined", d: { session: SESSION, s: S, ...player, time: BIRTH } });
    return { world, pulse, beats };
  }
  const told = (world: World) => said(world).filter(({ t }) => t === "beat");

  test("says three times as often as it must that the player is there", async () => {
    const { world, pulse, beats } = await begun(BIRTH + 3_000);
    await world.pass(999);
    assert.deepEqual(told(world), []);
    await world.pass(1);
    assert.deepEqual(told(world), [{ t: "beat", d: { s: S, id: 1 } }]);
    world.line.say({ t: "ack", d: { s: S, id: 1, expires_at: BIRTH + 7_000 } });
    await world.pass(1_999);
    assert.equal(told(world).length, 1);
    await world.pass(1);
    assert.equal(told(world).length, 2);
    assert.deepEqual([beats, pulse.expiresAt, pulse.status], [[3_000, 7_000], BIRTH + 7_000, "live"]);
  });

  test("asks again where it is told to, and stops where it is over", async () => {
    const { world, pulse } = await begun(BIRTH + 3_000);
    await world.pass(1_000);
    world.line.say({ t: "refused", d: { s: S, id: 1, reason: "rate_limited", retry_ms: 1_500 } });
    await world.pass(1_500);
    assert.equal(told(world).length, 2);
    world.line.say({ t: "left", d: { s: S, why: "ended" } });
    assert.deepEqual([pulse.status, pulse.closing?.code], ["closed", 4410]);
    await world.pass(60_000);
    assert.equal(told(world).length, 2);
  });
});
