import { ANN, BOB, CAT, duel, fighter, write } from "../script.mjs";

/** What a patch with `player` has of one who has just come. */
const arrives = { status: "active", score: 0, hp: 100, armor: 50, stamina: 100_000, stamina_rate: 10, x: 4_000, y: 400 };
const enemy = (i, kind, more = {}) => ({ i, player: `00000000-0000-4000-8000-0000000000${i}0`, team: 1, enemy: kind, hp: 60, ready: true, ...more });
const preparing = { status: "initializing", phase: "preparation", state: "preparation" };
const alone = duel({ phase: preparing, participants: [fighter(ANN, 0)] });
const crowd = duel({ participants: [...duel().participants, fighter(CAT, 1, { enemy: 0, x: 10, y: 20 }), fighter(CAT, 1, { enemy: 0, x: 30, y: 40 })] });

/** A session that is joined, then these deltas, each right. */
const follows = (name, shows, view, deltas) =>
  write(name, shows, { view }, (c) => {
    c.begins();
    for (const delta of deltas) c.delta(delta).right();
    c.right({ view: structuredClone(c.of().view) }).told([], ["drift"]);
  });

export const topic = "The view: what a delta does to it";
export const cases = [
  follows("changes what a patch names", "What a patch does not name stays; `x` comes with `y`.", duel(), [
    { ev: [{ k: "hit", by: 0, to: 1, n: 9 }], p: [{ i: 0, score: 9 }, { i: 1, hp: 91, armor: 41 }] },
    { p: [{ i: 1, x: 3_400, y: 2_450 }] },
    { p: [{ i: 0, stamina: 80_000, stamina_at: 5_300, guard_until: 6_800, state: 1 }] },
    { p: [{ i: 1, effects: [[0, 2, 9_000]], cast: [0, 6_100] }] },
    { p: [{ i: 1, effects: [], cast: [] }] },
  ]),
  follows("has nothing to say", "A delta may have a sequence and a time alone: something happened that one is not shown.", duel(), [{}, {}, {}]),
  follows("somebody comes", "A patch with `player` in the next slot starts from a participant at zero values.", alone, [
    { ev: [{ k: "seated", by: 1 }, { k: "phase" }], p: [{ i: 1, player: BOB, team: 1, ...arrives }], ph: { ...preparing, until: 14_100 } },
    { ev: [{ k: "ready", by: 1 }], p: [{ i: 1, ready: true }] },
  ]),
  follows("a seat is taken again", "A patch with `player` in a slot that is taken starts from zero values, too: nothing of the old one stays.", duel(), [
    { p: [{ i: 1, hp: 40, effects: [[0, 1, 9_000]], score: 12, ready: true }] },
    { ev: [{ k: "seated", by: 1 }], p: [{ i: 1, player: CAT, team: 1, ...arrives }] },
  ]),
  follows("goes out of sight", "With `hidden` all but `player`, `team`, `status`, `ready` and `score` goes to its zero value.", duel(), [
    { p: [{ i: 1, hp: 70, effects: [[0, 1, 9_000]], score: 5 }] },
    { p: [{ i: 1, hidden: true }] },
    { ev: [{ k: "eliminated", to: 1, by: 0 }], p: [{ i: 1, status: "eliminated" }, { i: 0, score: 100 }] },
  ]),
  follows("is in sight again", "A patch with `player` says all there is to know, so `hidden` is gone with it.", duel(), [
    { p: [{ i: 1, hidden: true }] },
    { p: [{ i: 1, player: BOB, team: 1, ready: true, ...arrives, hp: 64, effects: [[0, 1, 9_000]] }] },
  ]),
  follows("comes unseen", "Who comes where nobody looks comes with `player` and `hidden`.", alone, [
    { ev: [{ k: "seated", by: 1 }], p: [{ i: 1, player: BOB, team: 1, hidden: true }] },
  ]),
  follows("enemies go", "Where a delta has `n`, the participants from that slot on are gone.", crowd, [{ n: 3 }, { n: 2 }]),
  follows("enemies go and others come in one delta", "`n` is applied first: a patch of the same delta may take a slot anew.", crowd, [
    { n: 2, ev: [{ k: "spawned", by: 2, enemy: 0 }], p: [enemy(2, 0, { x: 700, y: 800 })] },
    { p: [enemy(3, 0), { i: 2, hp: 12, phase: 1 }] },
  ]),
  follows("the field changes", "Covers and hazards come as pairs of place and value; the modifiers as a whole, also when none is left.", duel(), [
    { ev: [{ k: "struck", by: 0, c: 0, n: 15 }], c: [[0, 25]] },
    { ev: [{ k: "destroyed", by: 0, z: 0 }], z: [[0, 0, 1]] },
    { m: [0] },
    { m: [], c: [[0, 0]] },
  ]),
  follows("the phase is replaced", "`ph` is the whole phase: what it does not have is absent from then on.", duel(), [
    { ph: { status: "paused", phase: "active", state: "active" } },
    { ph: { status: "active", phase: "active", state: "active", until: 960_000, round: 1, wins: [[0, 1], [1, 0]], turn: 0, turn_until: 30_000 } },
    { ph: { status: "active", phase: "active", state: "würfeln", until: 970_000 } },
    { ph: { status: "terminated", phase: "finished", state: "finished", end: "terminated" } },
  ]),
  follows("places are below zero and times are large", "Words of 32 bits hold what is negative in two's complement; times have 64 bits.", duel(), [
    { p: [{ i: 0, x: -1, y: -2_147_483_648 }] },
    { p: [{ i: 0, stamina_at: 4_294_967_295, guard_until: 4_294_967_296, effects: [[0, 255, 8_589_934_592_123]] }] },
    { p: [{ i: 0, reload_at: 9_007_199_254_740_990, used: [[0, 3, 4_294_967_297]], charge: 100, ammo: 6 }] },
  ]),
  write("has few digests", "A digest comes every so often; without one a delta is applied all the same.", {}, (c) => {
    c.begins();
    c.delta({ p: [{ i: 1, hp: 91 }] }, { h: null }).delta({ p: [{ i: 1, hp: 82 }] }, { h: null });
    c.right().delta({ p: [{ i: 1, hp: 73 }] }).right().told([], ["drift"]);
  }),
];
