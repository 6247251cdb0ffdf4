// The game as the page knows it, without a page: what may be done and what is sent, walking, aiming, the words for what
// happened, and how drift heals. Between it and the other side, which is played by the feed of scenes.mjs, is the real client.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { bindingsOf } from "../../web/arena/bindings.js";
import { advice } from "../../web/arena/coach.js";
import { Game } from "../../web/arena/game.js";
import { crosses, walked } from "../../web/arena/geometry.js";
import { energyAt, guardReadyAt, staminaAt } from "../../web/arena/rules.js";
import { storyOf } from "../../web/arena/story.js";
import { Walk } from "../../web/arena/walk.js";
import { nameOf } from "../../web/arena/words.js";
import { connect } from "../../web/client/index.js";
import { A, E, Feed, HANDLE, OWN, RULES, SESSION, participant, viewWith } from "./scenes.mjs";

const PREPARES = { status: "initializing", phase: "preparation", until: 11_000 };

/** Two riders, 1000 cm apart; the page plays the first. */
const DUEL = () => viewWith([participant(0, 0, 2000, 1000, OWN), participant(1, 1, 3000, 1000)]);

/** A game in this view, its time, what it said but for joins and pings, and the server it hears. */
async function fight(view = DUEL(), { slot = 0, rules = RULES, kind = "duel" } = {}) {
  const local = { now: 0 };
  const [said, joins, timers] = [[], [], new Map()];
  const into = { join: joins, ping: [] };
  let line;
  let serial = 0;
  const env = {
    socket: (url, protocol) => {
      line = { protocol, send: (text) => keep(JSON.parse(text)), close: () => {} };
      return line;
    },
    now: () => local.now,
    setTimeout: (act, ms) => timers.set((serial += 1), { act, at: local.now + ms }) && serial,
    clearTimeout: (timer) => timers.delete(timer),
    dice: () => 0.5,
  };
  const keep = (message) => (into[message.t] ?? said).push(message);
  const client = connect({ session: SESSION, ticket: async () => "ws://host/ws", env });
  const game = new Game();
  game.begin({ session: SESSION, kind, seats: view.seats, fight: client });
  const hear = (t, d) => line.onmessage({ data: JSON.stringify({ t, d }) });
  const feed = new Feed(hear);
  const join = async (again = feed.view) => {
    client.connection.hasten();
    await new Promise(setImmediate);
    line.onopen();
    await feed.join(slot, again, { rules });
  };
  await join(view);
  /** Lets session time pass on the page alone. */
  const wait = (ms) => (local.now += ms);
  /** The same, with what the client does by itself meanwhile. */
  const pass = (ms) => {
    wait(ms);
    const due = [...timers].filter(([, { at }]) => at <= local.now);
    for (const [timer, { act }] of due) {
      timers.delete(timer);
      act();
    }
  };
  const cut = () => line.onclose({ code: 1006 });
  /** Lets a page paint for so long, and answers with the places it claimed. */
  const paint = (ms) => {
    const before = said.length;
    for (let passed = 0; passed < ms; passed += 16) {
      wait(16);
      game.stride();
    }
    return said.slice(before).map(({ d }) => d).filter(({ kind: one }) => one === "move");
  };
  return { game, feed, said, joins, hear, join, cut, wait, pass, paint };
}

/** The id of the last action. */
const claimed = (said) => said.at(-1).d.id;

const reason = (game, kind, a) => game.can(kind, a).reason;

describe("moves", () => {
  test("an attack is on its way until the view shows it, then has to recover", async () => {
    const { game, feed, said, wait } = await fight();
    assert.equal(game.target, 1);
    assert.deepEqual(game.can("attack"), { ok: true });
    assert.equal(game.act("attack").ok, true);
    assert.deepEqual(said, [{ t: "action", d: { s: HANDLE, id: 1, kind: "attack", to: 1 } }]);
    assert.equal(reason(game, "attack"), "pending");
    wait(12);
    await feed.say("ack", { id: 1, q: feed.q + 1 });
    assert.equal(game.latency.last, 12);
    assert.equal(reason(game, "attack"), "pending", "answered, but not shown yet");
    await feed.delta(12, { ev: [{ k: "hit", by: 0, to: 1, n: 20 }], p: [{ i: 1, hp: 80 }] });
    assert.equal(reason(game, "attack"), "cooldown");
    assert.equal(game.can("attack").waitMs, 400);
    wait(400);
    assert.equal(game.can("attack").ok, true);
  });

  test("attacks go to a part of the body, and to covers and barrels", async () => {
    const { game, feed, said } = await fight();
    game.part = "head";
    game.act("attack");
    assert.deepEqual(said.at(-1).d, { s: HANDLE, id: 1, kind: "attack", to: 1, part: "head" });
    await feed.delta(0, {});
    assert.equal(game.strikeThing({ c: 1 }).reason, "pending", "a view that does not show it changes nothing");
    await feed.say("refused", { id: 1, reason: "no_sight" });
    assert.equal(game.strikeThing({ z: 0 }).ok, true);
    assert.deepEqual(said.at(-1).d, { s: HANDLE, id: 2, kind: "attack", z: 0 });
  });

  test("what an attack needs: a rival in range, shots, and a turn", async () => {
    const { game, feed } = await fight();
    await feed.delta(10, { p: [{ i: 1, x: 5900, y: 3900 }] });
    assert.equal(reason(game, "attack"), "out_of_range");
    await feed.delta(10, { p: [{ i: 1, x: 3000, y: 1000 }, { i: 0, ammo: 0, reload_at: feed.at + 2010 }] });
    assert.deepEqual(game.can("attack"), { ok: false, reason: "reloading", waitMs: 2000 });
    await feed.delta(10, { p: [{ i: 0, ammo: 12, reload_at: 0 }], ph: { ...feed.view.phase, turn: 1 } });
    assert.equal(reason(game, "attack"), "not_your_turn");
  });

  test("the guard's cooldown and stamina come from the view alone", async () => {
    const { game, feed, wait } = await fight();
    await feed.delta(0, { p: [{ i: 0, guard_until: 2500, stamina: 5000, stamina_at: 1000 }], ev: [{ k: "guard", by: 0 }] });
    assert.equal(game.guardMs(0), 1500);
    assert.deepEqual(game.can("defend"), { ok: false, reason: "cooldown", waitMs: 3000 });
    wait(3000);
    assert.equal(game.stamina(0), 35);
    assert.equal(game.can("defend").ok, true);
    await feed.delta(3000, { p: [{ i: 0, stamina: 5000, stamina_at: 4000 }] });
    assert.deepEqual(game.can("defend"), { ok: false, reason: "not_enough_stamina", waitMs: 1500 });
  });

  test("abilities know their cost, cooldown and uses", async () => {
    const { game, feed, said } = await fight();
    assert.equal(reason(game, "ability", A.berserk), "not_enough_charge");
    assert.equal(reason(game, "ability", A.slam), "action_unavailable", "enemies' abilities are no player's");
    game.act("ability", A.pulse);
    assert.deepEqual(said.at(-1).d, { s: HANDLE, id: 1, kind: "ability", a: A.pulse });
    assert.equal(reason(game, "ability", A.pulse), "pending");
    assert.equal(game.can("item_use", A.stim).ok, true, "one does not wait for another");
    await feed.say("ack", { id: 1, q: feed.q + 1 });
    const used = [[A.pulse, 1, 13_000], [A.stim, 1, 2000]];
    await feed.delta(0, { p: [{ i: 0, energy: 20_000, energy_at: 1000, used }] });
    assert.deepEqual(game.can("ability", A.pulse), { ok: false, reason: "cooldown", waitMs: 12_000 });
    assert.equal(reason(game, "item_use", A.stim), "used_up");
    assert.deepEqual(game.can("ability", A.shield), { ok: false, reason: "not_enough_energy", waitMs: 4000 });
  });

  test("stuns, silence and casts keep from what they keep from", async () => {
    const { game, feed, wait } = await fight();
    await feed.delta(0, { p: [{ i: 0, effects: [[E.silence, 1, 2000]] }] });
    assert.deepEqual(game.can("ability", A.pulse), { ok: false, reason: "denied", waitMs: 1000 });
    assert.equal(game.can("attack").ok, true);
    await feed.delta(0, { p: [{ i: 0, effects: [[E.stun, 1, 0]] }] });
    assert.deepEqual(game.can("move"), { ok: false, reason: "stunned", waitMs: undefined }, "for the whole round");
    await feed.delta(0, { p: [{ i: 0, effects: [], cast: [A.medkit, 3000] }] });
    assert.equal(reason(game, "attack"), "busy");
    assert.equal(reason(game, "move"), "busy", "a channel holds its caster");
    await feed.delta(0, { p: [{ i: 0, cast: [A.stim, 3000] }] });
    assert.equal(game.can("move").ok, true, "a cast does not");
    wait(2000);
    assert.equal(game.can("attack").ok, true, "over by itself");
    await feed.delta(2000, { p: [{ i: 0, cast: [] }], m: [E.silence] });
    assert.equal(reason(game, "ability", A.pulse), "denied", "the round's modifiers are on everybody");
  });

  test("a refusal is told in words and holds the attack back", async () => {
    const { game, feed } = await fight();
    const told = [];
    game.addEventListener("refused", ({ detail }) => told.push(detail));
    game.act("attack");
    await feed.say("refused", { id: 1, reason: "cooldown", retry_ms: 300 });
    assert.deepEqual(told, [{ kind: "attack", a: undefined, words: "Not ready yet. Again in 0.3 s." }]);
    assert.equal(game.can("attack").waitMs, 300);
  });
});

describe("aim", () => {
  const team = () =>
    viewWith([
      participant(0, 0, 1000, 1000, { ...OWN, hp: 90 }),
      participant(1, 1, 2000, 1000),
      participant(2, 0, 1200, 1000, { hp: 30 }),
      participant(3, 1, 1500, 1000),
      participant(4, 0, 5900, 3900, { hp: 10 }),
    ]);

  test("takes the nearest rival, and another when that one falls or is gone from sight", async () => {
    const { game, feed } = await fight(team());
    assert.equal(game.target, 3);
    game.aim(1);
    game.aim(0);
    assert.equal(game.target, 1, "nobody aims at themself");
    await feed.delta(1, { p: [{ i: 1, hidden: true }] });
    assert.equal(game.target, 3);
    await feed.delta(1, { p: [{ i: 3, status: "eliminated", hp: 0 }] });
    assert.equal(game.target, null);
    assert.equal(reason(game, "attack"), "needs_target");
    assert.match(advice("fight", game, false), /Nobody is in sight/);
  });

  test("an ability for allies goes to the one in reach who needs it most", async () => {
    const { game, said } = await fight(team());
    game.act("ability", A.shield);
    assert.equal(said.at(-1).d.to, 2);
  });

  test("a dash goes where one walks, or points", async () => {
    const { game, said } = await fight({ ...team(), participants: [participant(0, 0, 1000, 1000, { ...OWN, charge: 100 }), participant(1, 1, 2000, 1000)] });
    game.pointed = { x: 1000, y: 1600 };
    game.act("ability", A.berserk);
    assert.deepEqual([said.at(-1).d.x, said.at(-1).d.y], [1000, 1600]);
  });

  test("keys that abilities have are not given away", () => {
    const rules = { ...RULES, abilities: RULES.abilities.map((one, i) => ({ ...one, key: ["F", "C", "Shift", "", "1"][i] ?? "" })) };
    const { defend, head, limb, kit } = bindingsOf(rules);
    assert.deepEqual([defend, head, limb], ["G", "Z", "V"]);
    const all = [defend, head, limb, ...kit.values()];
    assert.equal(new Set(all).size, all.length);
    assert.deepEqual([...kit.values()].slice(0, 3), ["F", "C", "Shift"]);
  });
});

describe("walking", () => {
  test("claims places no faster than it may, about ten times a second, and stops where it was sent", async () => {
    const { game, paint, feed } = await fight();
    game.walk.goTo({ x: 2000, y: 1800 });
    const claims = paint(500);
    assert.ok(claims.length >= 4 && claims.length <= 5, String(claims.length));
    let from = { x: 2000, y: 1000 };
    for (const claim of claims) {
      assert.ok(Math.hypot(claim.x - from.x, claim.y - from.y) < 850 * 0.13 + 2);
      from = claim;
    }
    await feed.delta(500, { id: claims.at(-1).id, p: [{ i: 0, x: from.x, y: from.y }] });
    paint(1000);
    assert.ok(Math.hypot(game.place.x - 2000, game.place.y - 1800) < 15);
    assert.deepEqual(paint(500), [], "who stands says nothing");
  });

  test("a step that is refused is taken back, and a dash is not", async () => {
    const { game, paint, feed } = await fight();
    game.walk.steer(1, 0);
    const claims = paint(300);
    const far = game.place.x - 2000;
    await feed.say("refused", { id: claims.at(-1).id, reason: "too_fast" });
    assert.deepEqual([game.place.x, game.place.y], [claims.at(-2).x, 1000], "the one before may still be taken");
    for (const { id } of claims.slice(0, -1)) {
      await feed.say("refused", { id, reason: "too_fast" });
    }
    assert.deepEqual([game.place.x, game.place.y], [2000, 1000]);
    const later = paint(300);
    assert.ok(game.place.x - 2000 < far * 0.9, "it walks slower for a while");
    await feed.delta(10, { id: later[0].id, p: [{ i: 0, x: later[0].x, y: 1000 }] });
    assert.ok(game.place.x > later[0].x, "steps that are on their way are done again on what is shown");
    await feed.delta(10, { id: later.at(-1).id, p: [{ i: 0, x: 2900, y: 1000 }] });
    assert.equal(game.place.x, 2900, "the server has the last word");
  });

  test("a step says where one looks and how one goes on, and the last one that one stands", async () => {
    const { game, paint } = await fight();
    game.walk.steer(0, 1);
    const [{ f, vx, vy }] = paint(200);
    assert.deepEqual([f, vx], [90, 0]);
    assert.ok(vy > 850 * 0.9 && vy <= 850, String(vy));
    game.walk.steer(0, 0);
    const last = paint(300);
    assert.equal(last.length, 1);
    assert.deepEqual([last[0].f, last[0].vx, last[0].vy], [undefined, undefined, undefined]);
    assert.deepEqual(paint(500), []);
    game.walk.steer(0, 1);
    const [step] = paint(16);
    game.walk.steer(0, 0);
    const [stop, ...more] = paint(300);
    assert.deepEqual([stop.x, stop.y, stop.vy, more], [step.x, step.y, undefined, []], "it stands where it said that it goes on");
  });

  test("others are drawn between two places that were told", async () => {
    const { game, feed, wait } = await fight();
    wait(100);
    await feed.delta(100, { p: [{ i: 1, x: 3100, y: 1000 }] });
    wait(100);
    await feed.delta(100, { p: [{ i: 1, x: 3200, y: 1000 }] });
    assert.deepEqual(game.drawn(1), { x: 3050, y: 1000 });
    wait(50);
    assert.deepEqual(game.drawn(1), { x: 3100, y: 1000 });
    assert.deepEqual(game.drawn(0), game.place);
  });

  test("walls are walked along, fields are not left, and who is stunned stays", async () => {
    const { game, paint, feed, said } = await fight();
    game.walk.steer(-1, -1);
    paint(5000);
    assert.deepEqual([game.place.x, game.place.y], [0, 0]);
    game.walk.stop();
    await feed.delta(10, { id: claimed(said), p: [{ i: 0, x: 2800, y: 2000 }] });
    game.walk.steer(1, 0);
    paint(1000);
    assert.ok(game.place.x < 2875, "before the wall");
    await feed.delta(1000, { id: claimed(said), c: [[4, 0]], p: [{ i: 0, x: said.at(-1).d.x, y: 2000, effects: [[E.stun, 1, 0]] }] });
    const { x } = game.place;
    assert.deepEqual(paint(300), []);
    assert.equal(game.place.x, x);
    await feed.delta(300, { p: [{ i: 0, effects: [] }] });
    paint(1000);
    assert.ok(game.place.x > 3125, "through where the wall was");
  });

  test("ways and walls", () => {
    const wall = { x: 10, y: 0, w: 2, h: 10 };
    assert.equal(crosses(wall, { x: 0, y: 5 }, { x: 20, y: 5 }), true);
    assert.equal(crosses(wall, { x: 0, y: 11 }, { x: 20, y: 11 }), false);
    assert.equal(crosses(wall, { x: 9, y: 0 }, { x: 9, y: 10 }), false);
    const field = { width_cm: 100, height_cm: 100 };
    assert.deepEqual(walked({ x: 9, y: 5 }, 2, 2, field, [wall]), { x: 9, y: 7 }, "along it");
    const walk = new Walk();
    assert.equal(walk.step(0, { speed: 1, field, walls: [], may: true }), null, "nowhere yet");
  });
});

describe("the course of a fight", () => {
  test("goes from the waiting room into the fight", async () => {
    const { game, feed, said, cut } = await fight(viewWith([participant(0, 0, 0, 0, OWN)], { seats: 2, phase: { ...PREPARES, until: 300_000 } }));
    assert.equal(game.full, false);
    assert.equal(reason(game, "attack"), "wrong_phase");
    assert.match(advice("fight", game, false), /a second tab/);
    await feed.delta(0, { p: [{ i: 1, ...participant(1, 1, 900, 0) }], ph: { ...PREPARES, state: "preparation" } });
    assert.equal(game.full, true);
    assert.equal(game.untilMs, 10_000);
    game.sayReady();
    game.sayReady();
    assert.deepEqual(said, [{ t: "ready", d: { s: HANDLE } }]);
    assert.match(advice("fight", game, false), /You are ready/);
    await feed.delta(0, { ph: { status: "active", phase: "active", state: "active" } });
    assert.equal(game.can("attack").ok, true);
    assert.match(advice("fight", game, false), /Press Space .* F to guard/);
    assert.match(advice("fight", game, true), /Tap/);
    cut();
    assert.match(advice("fight", game, false), /by itself/);
  });

  test("a seat that was given up is waited for again, and whoever takes it begins anew", async () => {
    const { game, feed } = await fight(viewWith([participant(0, 0, 0, 0, OWN), participant(1, 1, 900, 0)], { seats: 3, phase: { ...PREPARES, until: 300_000 } }));
    assert.equal(game.seated, 2);
    await feed.delta(0, { ev: [{ k: "forfeited", by: 1 }], p: [{ i: 1, status: "eliminated" }] });
    assert.equal(game.seated, 1);
    await feed.delta(0, { ev: [{ k: "seated", by: 1 }], p: [{ i: 1, ...participant(1, 1, 900, 0) }] });
    assert.equal(game.seated, 2);
    assert.equal(game.view.participants[1].status, "active");
  });

  test("what was not answered goes again under its id after a new join, and new ids rise", async () => {
    const { game, feed, said, join, cut } = await fight();
    game.act("attack");
    game.act("defend");
    await feed.say("ack", { id: 1, q: 9 });
    said.length = 0;
    cut();
    assert.deepEqual([game.link.name, game.link.tries], ["waiting", 1]);
    assert.equal(reason(game, "attack"), "offline");
    await join();
    assert.deepEqual(said, [{ t: "action", d: { s: HANDLE, id: 2, kind: "defend" } }]);
    game.act("ability", A.pulse);
    assert.equal(said.at(-1).d.id, 3);
  });

  test("drift is counted and healed by joining again", async () => {
    const { game, feed, joins, pass, hear } = await fight();
    hear("delta", { s: HANDLE, id: 0, q: 2, at: 1001, time: 1, p: [{ i: 0, hp: 3 }], h: 7 });
    assert.equal(game.drift, 1);
    assert.equal(game.live, false);
    assert.equal(game.me.hp, 100, "what is wrong is not shown");
    pass(1_000);
    assert.equal(joins.length, 2);
    await feed.join(0, feed.view);
    await feed.delta(10, { p: [{ i: 1, hp: 90 }] });
    assert.deepEqual([game.live, game.digests, game.snapshots, game.deltas], [true, 3, 2, 1]);
  });

  test("a round that is over is no end, and the end is told by the server or by the view alone", async () => {
    const { game, feed } = await fight();
    await feed.delta(0, { ph: { status: "active", phase: "cooldown", state: "intermission", round: 1, wins: [[0, 1]] } });
    assert.equal(game.outcome, null);
    assert.match(advice("fight", game, false), /round is over/);
    await feed.delta(0, { ph: { status: "active", phase: "cooldown", state: "results", winner: 1, team: 1, end: "rounds_won" } });
    assert.equal(game.outcome.reason, "rounds_won");
    assert.deepEqual(game.outcome.standings.map(({ slot }) => slot), [1, 0]);
    const result = { q: feed.q, reason: "rounds_won", winner: 1, team: 1, duration_ms: 5, standings: [] };
    await feed.say("result", result);
    assert.equal(game.outcome.duration_ms, 5);
    assert.equal(reason(game, "attack"), "wrong_phase");
  });
});

describe("what follows from a view", () => {
  test("pools grow to their bound and the guard comes back after its cooldown", () => {
    const one = { stamina: 80_000, stamina_at: 1000, stamina_rate: 10, energy: 0, energy_at: 0, energy_rate: 5, guard_until: 2500 };
    assert.equal(staminaAt(one, RULES, 500), 80_000);
    assert.equal(staminaAt(one, RULES, 2000), 90_000);
    assert.equal(staminaAt(one, RULES, 9000), 100_000);
    assert.equal(energyAt(one, RULES, 4000), 20_000);
    assert.equal(guardReadyAt(one, RULES), 4000);
    assert.equal(guardReadyAt({ guard_until: 0 }, RULES), 0);
  });
});

describe("words for what happened", () => {
  const told = async (event) => {
    const enemies = [participant(2, 1, 900, 900, { enemy: 0 }), participant(3, 1, 950, 900, { enemy: 0 }), participant(4, 1, 0, 0, { enemy: 2 })];
    const view = viewWith([...DUEL().participants, ...enemies], { seats: 2 });
    const { game } = await fight(view);
    const story = storyOf(event, { before: view, after: view, game });
    return story?.parts.map((part) => part.name ?? part.n ?? part).join("") ?? null;
  };

  test("name who did what to whom", async () => {
    assert.equal(await told({ k: "hit", by: 2, to: 0, n: 7, guarded: true }), "Drone 1 hit you for 7 through the guard");
    assert.equal(await told({ k: "hit", by: 0, to: 3, n: 9, crit: true, a: A.pulse, abs: 3 }), "You crit Drone 2 with Area pulse for 9, 3 of it absorbed");
    assert.equal(await told({ k: "hit", to: 0, n: 7 }), "Somebody hit you for 7");
    assert.equal(await told({ k: "enraged", by: 4, enemy: 2, st: 1 }), "Warlord turns to pulse");
    assert.equal(await told({ k: "affected", by: 0, to: 4, e: E.burn, st: 2 }), "Warlord is under Burn ×2");
    assert.equal(await told({ k: "destroyed", by: 0, z: 0 }), "The barrel goes off");
    assert.equal(await told({ k: "round", st: 2, team: 0 }), "Round 2 is over: your side won it");
    assert.equal(await told({ k: "connected", by: 0 }), "You are here");
    assert.equal(await told({ k: "connected", by: 2, why: "joined" }), "Drone 1 is here");
    assert.equal(await told({ k: "connected", by: 0, why: "returned" }), "You came back");
    assert.equal(await told({ k: "disconnected", by: 2, why: "lost" }), "Drone 1 lost the connection");
    assert.equal(await told({ k: "disconnected", by: 2, why: "left" }), "Drone 1 left for now");
    assert.equal(await told({ k: "faded", to: 4, e: E.burn }), null, "not everything is worth a line");
    assert.equal(await told({ k: "something_new" }), null);
  });

  test("two riders of one name are told apart", () => {
    const view = viewWith([participant(0, 0, 0, 0), participant(0, 1, 0, 0), participant(0, 2, 0, 0)]);
    const [first, second, third] = [0, 1, 2].map((slot) => nameOf(view, RULES, slot));
    assert.deepEqual([second, third], [`${first} II`, `${first} III`]);
  });

  test("an enemy in the fog has no name", async () => {
    const view = viewWith([...DUEL().participants, participant(2, 1, 0, 0, { hidden: true })], { seats: 2 });
    assert.equal(nameOf(view, RULES, 2), "Somebody unseen");
  });
});
