// What a delta does to a view, and the digest of a view: docs/PROTOCOL.md, "The view" and "The digest". client.js works with both.

const named = (value, names) => Object.fromEntries(names.split(" ").map((name) => [name, value]));
/** One of whom nothing is known yet. */
const NOBODY = {
  ...{ status: "active", ready: false, effects: [], cast: [], used: [] },
  ...named(0, "team score phase hp armor shield stamina stamina_at stamina_rate guard_until state x y"),
  ...named(0, "energy energy_at energy_rate charge ammo reload_at"),
};
// Words by their codes.
const STATUS = ["initializing", "active", "paused", "completed", "terminated"];
const PHASE = ["preparation", "active", "cooldown", "finished"];
const STANDING = ["active", "eliminated", "disconnected"];
const END = ["last_standing", "time_limit", "forfeit", "terminated", "completed", "abandoned", "failed", "score_limit", "rounds_won", "cleared"];
END.push("survived", "defeated", "not_ready", "pause_limit");

/** The view once this has happened; the one before stays as it was. */
export function after(view, { n, p = [], ph: phase = view.phase, c = [], z = [], m: modifiers = view.modifiers }) {
  const [participants, covers, hazards] = [view.participants.slice(0, n), [...view.covers], [...view.hazards]];
  for (const { i, ...patch } of p) {
    const who = participants[i];
    if (i > participants.length || (!who && !patch.player)) throw new Error(`nobody is in slot ${i}`);
    // Of one in the fog only this is known.
    const seen = (was) => ({ ...NOBODY, player: was.player, team: was.team, status: was.status, ready: was.ready, score: was.score });
    participants[i] = { ...(patch.player ? NOBODY : patch.hidden ? seen(who) : who), ...patch };
  }
  for (const [cover, health] of c) covers[cover] = health;
  for (const [hazard, ...now] of z) hazards[hazard] = now;
  return { ...view, phase, participants, covers, hazards, modifiers };
}

/** 32 bits; null where the view has a word that is newer than this client. */
export function digest(view) {
  let h = 0x811c9dc5;
  for (const word of words(view)) {
    if (word === null) return null;
    h = Math.imul(h ^ word, 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h >>> 0;
}

const code = (names, name) => (names.includes(name) ? names.indexOf(name) : null);
// `|` and `^` keep the low 32 bits of a whole number, however large it is.
const wide = (number) => [number % 2 ** 32, Math.floor(number / 2 ** 32)];
const listed = (items, each = (item) => [item]) => [items.length, ...items.flatMap(each)];
const triple = ([one, other, time]) => [one, other, ...wide(time)];
const plusOne = (value = -1) => value + 1;

function* words({ phase, seats, covers, hazards, modifiers, participants }) {
  yield* [code(STATUS, phase.status), code(PHASE, phase.phase), ...listed([...new TextEncoder().encode(phase.state)])];
  yield* [...wide(plusOne(phase.until)), plusOne(phase.winner), plusOne(phase.team)];
  yield phase.end === undefined ? 0 : code(END, phase.end) === null ? null : code(END, phase.end) + 1;
  yield* [phase.round ?? 0, ...listed(phase.wins ?? [], (win) => win), plusOne(phase.turn), ...wide(phase.turn_until ?? 0)];
  yield* [seats, ...listed(covers), ...listed(hazards, (hazard) => hazard), ...listed(modifiers), participants.length];
  for (const one of participants) {
    yield* [parseInt(one.player.slice(-8), 16), one.team, code(STANDING, one.status), Number(one.ready) + 2 * Number(one.hidden ?? false)];
    yield* [one.score, plusOne(one.enemy), one.phase, one.hp, one.armor, one.shield, one.stamina, ...wide(one.stamina_at)];
    yield* [one.stamina_rate, ...wide(one.guard_until), one.state, one.x, one.y, ...listed(one.effects, triple)];
    yield* [plusOne(one.cast[0]), ...wide(one.cast[1] ?? 0)];
  }
  for (const [slot, one] of participants.entries()) {
    const { energy, energy_at, energy_rate, charge, ammo, reload_at, used } = one;
    if (![energy, energy_at, energy_rate, charge, ammo, reload_at, used.length].some(Boolean)) continue;
    yield* [slot + 1, energy, ...wide(energy_at), energy_rate, charge, ammo, ...wide(reload_at), ...listed(used, triple)];
  }
  const motions = participants.map(({ f = 0, vx = 0, vy = 0 }, slot) => [slot + 1, f, vx, vy]).filter(([, ...motion]) => motion.some(Boolean));
  if (motions.length > 0) yield* [0xffffffff, ...motions.flat()];
}
