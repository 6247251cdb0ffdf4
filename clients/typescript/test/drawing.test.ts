// Drawing: others between two places that were told, as they said that they move, and oneself where one has gone already.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Interpolator, Predictor, apply, connect, digest, type Delta, type Motion, type Participant, type View } from "@tiltyard/client";

import { S, SESSION, delta, duel, joined, participant, said, snapshot, stamp, ticket, BOB } from "./seats.js";
import { World } from "./world.js";

const view = (...participants: Participant[]): View => ({ ...duel(), participants });
const at = (x: number, motion: Motion = {}): Participant => participant(BOB, x, motion);

/** Somebody who was at 0 at 1,000 and said `before`, and has told a place each 100 ms since. */
function track(before: Motion, ...steps: [x: number, motion: Motion][]): Interpolator {
  const others = new Interpolator();
  others.snapshot(view(at(0, before)), 1_000);
  steps.forEach(([x, motion], turn) => {
    const change = { ...stamp(1_100 + turn * 100), p: [{ i: 0, x, y: 0, ...motion }] } as unknown as Delta;
    others.delta(change, view(at(x, motion)));
  });
  return others;
}

const x = (others: Interpolator, time: number): number => others.place(0, time)?.x ?? NaN;

describe("others", () => {
  test("who have stood for long start late", () => {
    const others = new Interpolator();
    others.snapshot(view(at(0)), 1_000);
    others.delta({ ...stamp(6_000), p: [{ i: 0, x: 100, y: 0 }] } as unknown as Delta, view(at(100)));
    assert.deepEqual(others.place(0, 5_000), { x: 0, y: 0 });
    assert.deepEqual(others.place(0, 5_875), { x: 50, y: 0 });
    assert.equal(others.place(1, 5_000), null);
  });

  test("are remembered no longer than it is needed", () => {
    const others = track({}, ...Array.from({ length: 1_000 }, (_, step): [number, Motion] => [step + 1, {}]));
    assert.equal(x(others, 100_950), 999.5);
    assert.ok(x(others, 0) > 900);
  });

  test("who say nothing of their velocity go straight and evenly, and stand where they were seen last", () => {
    const others = track({}, [100, {}]);
    assert.deepEqual([1_025, 1_050, 1_075, 1_400].map((time) => x(others, time)), [25, 50, 75, 100]);
  });

  test("who go on as they went are where an even step would have them", () => {
    const others = track({ vx: 1_000 }, [100, { vx: 1_000 }]);
    assert.deepEqual([1_025, 1_050, 1_075].map((time) => Math.round(x(others, time))), [25, 50, 75]);
  });

  test("speed up and slow down as they say, and never leave the way between two places", () => {
    const starts = track({}, [50, { vx: 1_000 }]);
    const stops = track({ vx: 1_000 }, [50, {}]);
    assert.ok(x(starts, 1_050) < 20, "it has hardly begun to move");
    assert.ok(x(stops, 1_050) > 30, "it has come most of the way");
    const wild = track({ vx: -90_000 }, [50, { vx: 90_000 }]);
    for (let time = 1_000; time <= 1_100; time += 5) {
      const here = x(wild, time);
      assert.ok(here >= 0 && here <= 50, `${here} at ${time}`);
      assert.ok(here >= x(wild, time - 5), "nobody goes back");
    }
  });

  test("go on for a moment where the next place is late, and no longer", () => {
    const others = track({}, [100, { vx: 1_000, vy: -400 }]);
    assert.deepEqual(others.place(0, 1_200), { x: 200, y: -40 });
    assert.deepEqual(others.place(0, 1_350), others.place(0, 9_000));
    others.delta({ ...stamp(1_300), p: [{ i: 0, x: 100, y: 0, vx: 0, vy: 0 }] } as unknown as Delta, view(at(100, { vx: 0, vy: 0 })));
    assert.deepEqual(others.place(0, 1_400), { x: 100, y: 0 }, "the server has the last word");
  });

  test("who are told of seldom have moved all the while, where they said that they do", () => {
    const [walks, stands] = [track({ vx: 100 }), track({})];
    for (const others of [walks, stands]) {
      others.delta({ ...stamp(2_000), p: [{ i: 0, x: 100, y: 0, vx: 100 }] } as unknown as Delta, view(at(100, { vx: 100 })));
    }
    assert.deepEqual([1_250, 1_500, 1_750].map((time) => Math.round(x(walks, time))), [25, 50, 75]);
    assert.deepEqual([1_250, 1_500, 1_750].map((time) => x(stands, time)), [0, 0, 0]);
  });

  test("turn the shorter way, and look where they looked", () => {
    const others = track({ f: 350 }, [100, { f: 10 }], [200, { f: 10 }]);
    assert.deepEqual([1_000, 1_025, 1_050, 1_200, 9_000].map((time) => others.place(0, time)?.f), [350, 355, 0, 10, 10]);
  });
});

describe("oneself", () => {
  test("goes nowhere that is not shown once the session is left", () => {
    const own = new Predictor();
    own.claim(1, { x: 5, y: 6 }, { x: 0, y: 0 });
    assert.deepEqual(own.place({ x: 0, y: 0 }), { x: 5, y: 6 });
    own.reset();
    assert.deepEqual(own.place({ x: 0, y: 0 }), { x: 0, y: 0 });
  });

  test("says where it looks and how it goes on, and is drawn so until the server has applied or refused it", async () => {
    const world = new World();
    const fight = connect({ session: SESSION, ticket, env: world });
    await world.settle();
    world.line.accept();
    joined(world);
    snapshot(world, 10, duel());
    fight.move(10.4, 0, { f: -90.2, vx: 99.9, vy: -0.5 });
    fight.move(20, 0);
    assert.deepEqual(said(world).slice(1).map(({ d }) => d), [
      { s: S, id: 1, kind: "move", x: 10, y: 0, f: 270, vx: 99, vy: 0 },
      { s: S, id: 2, kind: "move", x: 20, y: 0 },
    ]);
    assert.deepEqual(fight.place(0), { x: 20, y: 0, f: 270 });
    delta(world, 11, { id: 1, p: [{ i: 0, x: 10, y: 0, f: 270, vx: 99 }] });
    assert.deepEqual(fight.place(0), { x: 20, y: 0, f: 270 });
    world.line.say({ t: "refused", d: { s: S, id: 2, reason: "too_fast", x: 10, y: 0, allowed_cm: 3 } });
    assert.deepEqual(fight.place(0), { x: 10, y: 0, f: 270 });
  });

  test("is as fast as effects and modifiers let it be", async () => {
    const world = new World();
    const fight = connect({ session: SESSION, ticket, env: world });
    await world.settle();
    world.line.accept();
    const effects = [{ name: "slow", changes: { speed: -20 } }, { name: "light", changes: { speed: 15, armor: -5 } }];
    joined(world, { rules: { hash: "h", speed_cm_per_s: 850, effects } });
    assert.equal(fight.speed, null);
    snapshot(world, 10, duel());
    assert.equal(fight.speed, 850);
    delta(world, 11, { p: [{ i: 0, effects: [[0, 2, 9_000]] }], m: [1] });
    assert.equal(fight.speed, 637, "850 * (100 - 2 * 20 + 15) / 100");
    delta(world, 12, { p: [{ i: 0, effects: [[0, 9, 9_000]] }] });
    assert.equal(fight.speed, 0);
  });

  test("and another are both drawn as a fight goes on", async () => {
    const world = new World();
    const fight = connect({ session: SESSION, ticket, env: world });
    await world.settle();
    world.line.accept();
    joined(world);
    snapshot(world, 10, duel());
    await world.pass(100);
    delta(world, 11, { p: [{ i: 1, x: 1_100, y: 0, vx: 1_000 }] }, 5_100);
    await world.pass(100);
    assert.deepEqual(fight.place(1), { x: 1_037.5, y: 0 }, "a moment ago, on its way, speeding up");
    await world.pass(100);
    assert.deepEqual(fight.place(1), { x: 1_150, y: 0 }, "further, as it said");
    delta(world, 12, { p: [{ i: 1, hidden: true }] }, 5_300);
    assert.equal(fight.place(1), null);
  });
});

describe("the digest", () => {
  test("has no words of who stands at rest, and three of who does not", () => {
    const rest = digest(view(at(0), at(5)));
    assert.equal(digest(view(at(0, { f: 0, vx: 0, vy: 0 }), at(5))), rest);
    let h = rest;
    for (const word of [0xffffffff, 2, 90, -3, 7]) {
      h = Math.imul(h ^ word, 0x9e3779b1);
      h ^= h >>> 15;
    }
    assert.equal(digest(view(at(0), at(5, { f: 90, vx: -3, vy: 7 }))), h >>> 0);
  });

  test("is of a view that says nothing of rest, like a snapshot's, however it came to rest", () => {
    const moving = view(at(0, { f: 90, vx: 5, vy: 6 }));
    const rest = apply(moving, 1, { ...stamp(1), id: 0, s: S, q: 2, p: [{ i: 0, x: 0, y: 0, f: 0, vx: 0, vy: 0 }] });
    assert.deepEqual(rest, view(at(0)));
    const gone = apply(moving, 1, { ...stamp(1), id: 0, s: S, q: 2, p: [{ i: 0, hidden: true }] });
    assert.ok(!("f" in (gone.participants[0] ?? {})) && !("vx" in (gone.participants[0] ?? {})));
    assert.equal(moving.participants[0]?.f, 90, "what was before stays as it was");
  });

  test("has another value for each field of a view", () => {
    const base: View = {
      phase: { status: "active", phase: "active", state: "active", until: 5, round: 1, wins: [[0, 1]], turn: 0, turn_until: 5 },
      seats: 2,
      participants: [at(1), at(2, { f: 1, vx: 2, vy: 3 })],
      covers: [4],
      hazards: [[5, 0]],
      modifiers: [6],
    };
    Object.assign(base.participants[1] ?? {}, { effects: [[1, 2, 3]], cast: [1, 2], used: [[4, 5, 6]], enemy: 1, team: 7 });
    type Any = Record<string, unknown>;
    const paths = (value: unknown, way: string[]): string[][] =>
      typeof value === "object" ? Object.entries(value as Any).flatMap(([key, one]) => paths(one, [...way, key])) : [way];
    const words: Record<string, string> = { status: "eliminated", phase: "cooldown", state: "other", player: SESSION };
    const seen = new Set([digest(base)]);
    const all = paths(base, []);
    for (const way of all) {
      const view = structuredClone(base);
      const last = way.at(-1) ?? "";
      const holder = way.slice(0, -1).reduce((value, key) => value[key] as Any, view as unknown as Any);
      const was = holder[last];
      holder[last] = typeof was === "number" ? was + 1 : typeof was === "boolean" ? !was : last === "status" && way[0] === "phase" ? "paused" : words[last];
      seen.add(digest(view));
    }
    assert.ok(all.length > 60, String(all.length));
    assert.equal(seen.size, all.length + 1);
  });
});
