import { ANN, BOB, SESSION, duel, fighter, handle, write } from "../script.mjs";

const s = handle(SESSION);
const here = { x: 3_500, y: 2_500 };
/** Ann faces up and goes left. */
const moving = duel({ participants: [fighter(ANN, 0, { x: 1_500, y: 2_500, f: 270, vx: -400, vy: 0 }), duel().participants[1]] });

/** A session that is joined, then these deltas, each right. */
const follows = (name, shows, view, deltas) =>
  write(name, shows, { view }, (c) => {
    c.begins();
    for (const delta of deltas) c.delta(delta).right();
    c.told([], ["drift"]);
  });

export const topic = "Facing, velocity, and why somebody comes and goes";
export const cases = [
  follows("turns and goes", "`x` and `y` are always there, `f` where it changed, `vx` with `vy` where either did. What is absent stays.", duel(), [
    { p: [{ i: 1, ...here, f: 90 }] },
    { p: [{ i: 1, x: 3_500, y: 2_560, vx: 0, vy: 600 }] },
    { p: [{ i: 1, x: 3_500, y: 2_620 }] },
    { p: [{ i: 1, x: 3_480, y: 2_600, f: 225, vx: -420, vy: -420 }] },
    { p: [{ i: 0, x: 1_500, y: 2_500, f: 359 }, { i: 1, x: 3_400, y: 2_520, hp: 70 }] },
  ]),
  follows("stands again", "A velocity of 0 is said. Where all are at zero the digest is what it is without facing and velocity.", moving, [
    { p: [{ i: 0, x: 1_460, y: 2_500, vx: 0, vy: 0 }] },
    { p: [{ i: 0, x: 1_460, y: 2_500, f: 0 }] },
  ]),
  follows("can move no more", "Whoever falls stands, in the delta that shows it. The facing stays.", moving, [
    { ev: [{ k: "eliminated", by: 1, to: 0 }], p: [{ i: 0, status: "eliminated", hp: 0, x: 1_460, y: 2_500, vx: 0, vy: 0 }, { i: 1, score: 100 }] },
  ]),
  follows("goes out of sight while it moves", "With `hidden` facing and velocity are at zero, as `x` and `y` are; in sight again what is not zero is said.", moving, [
    { p: [{ i: 0, hidden: true }] },
    { p: [{ i: 0, player: ANN, team: 0, status: "active", ready: true, score: 0, hp: 90, x: 900, y: 2_400, vx: 5, vy: -7 }] },
    { p: [{ i: 0, player: ANN, team: 0, status: "active", ready: true, score: 0, hp: 90, x: 900, y: 2_400 }] },
  ]),
  follows("a seat is taken again by one who stands", "With `player` it starts from zero values: nothing of the motion stays.", moving, [
    { ev: [{ k: "seated", by: 0 }], p: [{ i: 0, player: BOB, team: 0, status: "active", ready: false, score: 0, hp: 100, x: 900, y: 2_400 }] },
  ]),
  write("begins with those who move", "A snapshot has the fields that are not zero.", { view: moving }, (c) => {
    c.begins().right({ view: structuredClone(moving) }).told([{ t: "snapshot" }], ["drift"]);
  }),
  write("goes too fast by its velocity", "The refusal says so in words, beside where the server has the player.", {}, (c) => {
    c.begins().acts(1, { kind: "move", x: 1_500, y: 2_500, f: 0, vx: 9_000, vy: 0 });
    c.server("refused", { s, id: 1, reason: "too_fast", message: "vx, vy: that is faster than the player can move.", x: 1_500, y: 2_500, allowed_cm: 700 });
    c.told([{ t: "refused", d: { id: 1, reason: "too_fast", x: 1_500, y: 2_500, allowed_cm: 700 } }]).right();
  }),
  write("comes and goes", "`why` says how a connection came about, and why there is none any more; a newer one changes nothing else.", {}, (c) => {
    c.begins();
    c.delta({ ev: [{ k: "connected", by: 1, why: "joined" }] }).right();
    c.delta({ ev: [{ k: "connected", by: 1, why: "replaced" }] }).right();
    c.delta({ ev: [{ k: "disconnected", by: 1, why: "lost" }], p: [{ i: 1, status: "disconnected" }] }).right();
    c.delta({ ev: [{ k: "connected", by: 1, why: "returned" }], p: [{ i: 1, status: "active" }] }).right();
    c.delta({ ev: [{ k: "disconnected", by: 1, why: "left" }], p: [{ i: 1, status: "disconnected" }] }).right();
    const events = [["connected", "joined"], ["connected", "replaced"], ["disconnected", "lost"], ["connected", "returned"], ["disconnected", "left"]];
    c.told(events.map(([k, why]) => ({ t: "event", d: { k, by: 1, why } })), ["drift"]);
  }),
];
