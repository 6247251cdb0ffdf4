// What the cases are right by: a view after a delta, and the words of a view, written from docs/PROTOCOL.md and from no client.
// It is slow and literal, so that it can be read beside the document.

const STATUS = ["initializing", "active", "paused", "completed", "terminated"];
const PHASE = ["preparation", "active", "cooldown", "finished"];
const STANDING = ["active", "eliminated", "disconnected"];
const END = [
  "last_standing",
  "time_limit",
  "forfeit",
  "terminated",
  "completed",
  "abandoned",
  "failed",
  "score_limit",
  "rounds_won",
  "cleared",
  "survived",
  "defeated",
  "not_ready",
  "pause_limit",
];

/** A participant at zero values, in the order in which the server writes its fields; `hidden`, `enemy`, `f`, `vx` and `vy` are absent then. */
export function nobody() {
  return {
    team: 0, status: "active", ready: false, score: 0, phase: 0, hp: 0, armor: 0, shield: 0,
    stamina: 0, stamina_at: 0, stamina_rate: 0, guard_until: 0, state: 0, x: 0, y: 0, effects: [], cast: [],
    energy: 0, energy_at: 0, energy_rate: 0, charge: 0, ammo: 0, reload_at: 0, used: [],
  };
}

/** The view after a delta; the one before stays as it was. */
export function after(view, delta) {
  const next = structuredClone(view);
  if ("n" in delta) {
    next.participants.length = Math.min(next.participants.length, delta.n);
  }
  for (const { i, ...patch } of delta.p ?? []) {
    if (i > next.participants.length || (i === next.participants.length && !("player" in patch))) {
      throw new Error(`slot ${i} is not in the view`);
    }
    let start = next.participants[i];
    if ("player" in patch) {
      start = nobody();
    } else if (patch.hidden === true) {
      const { player, team, status, ready, score } = start;
      start = { ...nobody(), player, team, status, ready, score };
    }
    next.participants[i] = { ...start, ...structuredClone(patch) };
  }
  if ("ph" in delta) next.phase = structuredClone(delta.ph);
  for (const [cover, health] of delta.c ?? []) next.covers[cover] = health;
  for (const [hazard, health, gone] of delta.z ?? []) next.hazards[hazard] = [health, gone];
  if ("m" in delta) next.modifiers = structuredClone(delta.m);
  return next;
}

/** The words of a view, each with what it says. */
export function spelled(view) {
  const words = [];
  const say = (what, value) => words.push([what, Number(BigInt.asUintN(32, BigInt(value)))]);
  const wide = (what, value) => {
    const whole = BigInt(value);
    say(`${what}, low`, whole & 0xffffffffn);
    say(`${what}, high`, whole >> 32n);
  };
  const list = (what, items, each) => {
    say(`${what}: length`, items.length);
    items.forEach((item, place) => each(`${what} ${place}`, item));
  };
  const plusOne = (value) => (value === undefined ? 0 : value + 1);
  const code = (names, name) => {
    const place = names.indexOf(name);
    if (place < 0) throw new Error(`no code for ${name}`);
    return place;
  };
  const triples = (what, items) =>
    list(what, items, (item, [first, second, time]) => {
      say(`${item}, first`, first);
      say(`${item}, second`, second);
      wide(`${item}, time`, time);
    });

  const phase = view.phase;
  say("status", code(STATUS, phase.status));
  say("phase", code(PHASE, phase.phase));
  list("state", [...new TextEncoder().encode(phase.state)], say);
  wide("until + 1", plusOne(phase.until));
  say("winner + 1", plusOne(phase.winner));
  say("team + 1", plusOne(phase.team));
  say("end + 1", phase.end === undefined ? 0 : code(END, phase.end) + 1);
  say("round", phase.round ?? 0);
  list("wins", phase.wins ?? [], (item, [team, rounds]) => {
    say(`${item}, team`, team);
    say(`${item}, rounds`, rounds);
  });
  say("turn + 1", plusOne(phase.turn));
  wide("turn_until", phase.turn_until ?? 0);

  say("seats", view.seats);
  list("covers", view.covers, say);
  list("hazards", view.hazards, (item, [health, gone]) => {
    say(`${item}, health`, health);
    say(`${item}, gone`, gone);
  });
  list("modifiers", view.modifiers, say);
  say("participants", view.participants.length);

  view.participants.forEach((p, slot) => {
    const of = (field) => `${slot}: ${field}`;
    say(of("player, last four bytes"), parseInt(p.player.slice(-8), 16));
    say(of("team"), p.team);
    say(of("status"), code(STANDING, p.status));
    say(of("ready + 2 hidden"), (p.ready ? 1 : 0) + (p.hidden ? 2 : 0));
    say(of("score"), p.score);
    say(of("enemy + 1"), plusOne(p.enemy));
    for (const field of ["phase", "hp", "armor", "shield", "stamina"]) say(of(field), p[field]);
    wide(of("stamina_at"), p.stamina_at);
    say(of("stamina_rate"), p.stamina_rate);
    wide(of("guard_until"), p.guard_until);
    for (const field of ["state", "x", "y"]) say(of(field), p[field]);
    triples(of("effects"), p.effects);
    say(of("cast ability + 1"), plusOne(p.cast[0]));
    wide(of("cast until"), p.cast[1] ?? 0);
  });
  view.participants.forEach((p, slot) => {
    const of = (field) => `${slot}: ${field}`;
    const numbers = ["energy", "energy_at", "energy_rate", "charge", "ammo", "reload_at"];
    if (numbers.every((field) => p[field] === 0) && p.used.length === 0) return;
    say(of("slot + 1"), slot + 1);
    say(of("energy"), p.energy);
    wide(of("energy_at"), p.energy_at);
    for (const field of ["energy_rate", "charge", "ammo"]) say(of(field), p[field]);
    wide(of("reload_at"), p.reload_at);
    triples(of("used"), p.used);
  });
  const motion = (p) => ["f", "vx", "vy"].map((field) => p[field] ?? 0);
  if (view.participants.some((p) => motion(p).some((value) => value !== 0))) say("facing and velocity", 0xffffffff);
  view.participants.forEach((p, slot) => {
    const [f, vx, vy] = motion(p);
    if (f === 0 && vx === 0 && vy === 0) return;
    say(`${slot}: slot + 1`, slot + 1);
    say(`${slot}: f`, f);
    say(`${slot}: vx`, vx);
    say(`${slot}: vy`, vy);
  });
  return words;
}

/** The digest of a view. In whole numbers of any length, so that nothing hides in 32 bits. */
export function digest(view) {
  let h = 0x811c9dc5n;
  for (const [, word] of spelled(view)) {
    h = BigInt.asUintN(32, (h ^ BigInt(word)) * 0x9e3779b1n);
    h ^= h >> 15n;
  }
  return Number(h);
}
