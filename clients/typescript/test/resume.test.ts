// A fight that is gone on from where it was: by deltas where the server has them, by a snapshot where it has not.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { connect, joinToo, type Fight, type Notice } from "@tiltyard/client";

import { OTHER, S, SESSION, delta, duel, joined, said, snapshot, ticket } from "./seats.js";
import { World } from "./world.js";

/** A fight that is joined, at sequence 10. */
async function begun(): Promise<{ world: World; fight: Fight; told: string[] }> {
  const world = new World();
  const fight = connect({ session: SESSION, ticket, env: world });
  const told: string[] = [];
  for (const name of ["status", "joined", "snapshot", "delta", "drift", "rolled_back", "missed"] as const) {
    fight.on(name, (what) => told.push(name === "status" ? String(what) : name));
  }
  await world.settle();
  world.line.accept();
  joined(world);
  snapshot(world, 10, duel());
  told.length = 0;
  return { world, fight, told };
}

/** The connection is lost, and the next one is there. */
async function cut(world: World): Promise<void> {
  const before = world.lines.length;
  world.line.end(1006);
  await world.pass(5_000, () => world.lines.length > before);
  world.line.accept();
}

describe("deltas", () => {
  test("are gone on with from the view that is there, without a snapshot", async () => {
    const { world, fight, told } = await begun();
    delta(world, 11, { p: [{ i: 1, hp: 80 }] });
    await cut(world);
    assert.deepEqual(said(world), [{ t: "join", d: { session: SESSION, seq: 11, epoch: 1 } }]);
    assert.equal(fight.status, "joining");
    joined(world, { resume: "deltas" });
    assert.equal(fight.status, "live");
    assert.equal(fight.view?.participants[1]?.hp, 80, "what was shown stays shown");
    delta(world, 12, { id: 3, p: [{ i: 1, hp: 70 }] });
    delta(world, 13, { id: 3 });
    assert.deepEqual([fight.seq, fight.applied, fight.view?.participants[1]?.hp], [13, 3, 70]);
    assert.deepEqual(told, ["delta", "waiting", "connecting", "joining", "joined", "live", "delta", "delta"]);
  });

  test("leave actions in flight to be sent again, once and in order, and new ones after them", async () => {
    const { world, fight } = await begun();
    const [one, other] = [fight.attack(1), fight.defend()];
    await cut(world);
    joined(world, { resume: "deltas", last_id: 1 });
    const third = fight.defend();
    assert.deepEqual(said(world).map(({ t, d }) => [t, "id" in d ? d.id : 0]), [["join", 0], ["action", 1], ["action", 2], ["action", 3]]);
    world.line.say({ t: "ack", d: { s: S, id: 1, q: 11 } });
    world.line.say({ t: "refused", d: { s: S, id: 2, reason: "cooldown" } });
    world.line.say({ t: "ack", d: { s: S, id: 3, q: 12 } });
    assert.deepEqual((await Promise.all([one, other, third].map(({ answer }) => answer))).map(({ kind }) => kind), ["ack", "refused", "ack"]);
  });

  test("that do not begin where the view ends are asked for again, from there", async () => {
    const { world, fight } = await begun();
    await cut(world);
    joined(world, { resume: "deltas" });
    delta(world, 14);
    await world.pass(1_500, () => said(world).length > 1);
    assert.deepEqual(said(world).at(-1), { t: "join", d: { session: SESSION, seq: 10, epoch: 1 } });
    joined(world, { resume: "deltas" });
    delta(world, 11);
    assert.deepEqual([fight.status, fight.seq], ["live", 11]);
  });

  test("are no help where the view is wrong: no sequence is named until there is another", async () => {
    const { world, fight } = await begun();
    for (const wrong of [{ h: 1 }, { p: [{ i: 7, hp: 1 }] }]) {
      const from = said(world).length;
      delta(world, (fight.seq ?? 0) + 1, wrong);
      assert.equal(fight.status, "joining");
      await world.pass(1_500, () => said(world).length > from);
      assert.deepEqual(said(world).at(-1), { t: "join", d: { session: SESSION, epoch: 1 } });
      joined(world, { resume: "deltas" });
      assert.equal(fight.status, "joining", "a server that offers them all the same is not believed");
      joined(world);
      snapshot(world, 20, duel());
      assert.deepEqual([fight.status, fight.seq], ["live", 20]);
    }
    await cut(world);
    assert.deepEqual(said(world), [{ t: "join", d: { session: SESSION, seq: 20, epoch: 1 } }]);
  });

  test("say to be ready where that is still to be said, and say it once", async () => {
    const { world, fight } = await begun();
    const view = duel();
    view.phase = { status: "initializing", phase: "preparation", state: "preparation" };
    Object.assign(view.participants[0] ?? {}, { ready: false });
    snapshot(world, 11, view);
    fight.on("joined", () => fight.ready());
    await cut(world);
    joined(world, { resume: "deltas" });
    assert.deepEqual(said(world).map(({ t }) => t), ["join", "ready"]);
  });
});

test("a snapshot says why it is one, and how much is not known to be missed", async () => {
  const { world, fight } = await begun();
  const missed: unknown[] = [];
  fight.on("missed", (what) => missed.push(what));
  const why: unknown[] = [];
  fight.on("joined", (what) => why.push(what.why));
  await cut(world);
  joined(world, { why: "too_old" });
  snapshot(world, 90, duel(), { missed: { from: 11, to: 90 } });
  assert.deepEqual([why, missed], [["too_old"], [{ from: 11, to: 90 }]]);
});

describe("an error that says what it answers", () => {
  /** Two fights of one connection, of which the second has not joined yet. */
  async function two() {
    const { world, fight } = await begun();
    const other = joinToo(fight.connection, OTHER);
    const heard: [string, string][] = [];
    fight.on("error", ({ reason }: Notice) => heard.push(["one", reason]));
    other.on("error", ({ reason }: Notice) => heard.push(["other", reason]));
    return { world, fight, other, heard };
  }
  const say = (world: World, d: object) => world.line.say({ t: "error", d });

  test("is told to the session that it names", async () => {
    const { world, other, heard } = await two();
    say(world, { reason: "bad_fields", re: "ready", s: S });
    say(world, { reason: "unknown_type", re: "dance" });
    assert.deepEqual(heard, [["one", "bad_fields"], ["one", "unknown_type"], ["other", "unknown_type"]]);
    assert.equal(other.status, "joining", "its join is not refused by that");
  });

  test("refuses the join of that session alone", async () => {
    const { world, fight, other, heard } = await two();
    say(world, { reason: "no_session", re: "join", session: OTHER });
    assert.deepEqual([heard, other.closing?.code, fight.status], [[["other", "no_session"]], 4404, "live"]);
  });

  test("and one of a session that was left is nobody's join", async () => {
    const { world, fight, other } = await two();
    say(world, { reason: "no_session", re: "join", session: "0192f5a8-6c1e-7d40-9b1f-00000000dead" });
    assert.deepEqual([fight.status, other.status], ["live", "joining"]);
  });
});
