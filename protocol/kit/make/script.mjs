// Writes a case down step by step, and keeps the session as the server of the case has it, so that every digest is right that is
// not meant to be wrong; and what the client must have told by then, so that every case says all of it.

import { isDeepStrictEqual } from "node:util";

import { Listener } from "./listener.mjs";
import { after, digest, nobody } from "./reference.mjs";

export const SESSION = "0192f5a8-6c1e-7d40-9b1f-0000abcd1234";
export const OTHER = "0192f5a8-6c1e-7d40-9b1f-000000000007";
export const ANN = "0192f5a8-6c1e-7d40-9b1f-0a1b2c3d4e5f";
export const BOB = "0192f5a8-7777-7d40-9b1f-fedcba987654";
export const CAT = "0192f5a8-8888-7d40-9b1f-00000000c0de";
/** The server's wall clock when a session of the cases was created. */
export const BIRTH = 1_764_000_000_000;
export const RULES_HASH = "5d0c3a7d52ab7f1f1d7a3a2a0f64f7f5a9c1e0b7d8f6e5c4b3a2918070605040";

const ability = { kind: "ability", cooldown_ms: 4_000, uses: 0, cast_ms: 0, channel: false, affects: "enemies", shape: "single" };
export const RULES = {
  name: "kit", title: "For clients to be tried by", ruleset: "0".repeat(64), hash: RULES_HASH, mode: "pvp", health: 100, shield: 0, armor: 50,
  stamina: 100, stamina_per_second: 10, energy: 100, energy_per_second: 5, ammo: 0, reload_ms: 0, attack_interval_ms: 500,
  attack_range_cm: 300, defend_cost: 20, defend_ms: 1_500, defend_cooldown_ms: 3_000, speed_cm_per_s: 600, actions_per_second: 100, sight_cm: 0,
  rounds: 1, score_limit: 0, turn_ms: 0, kit: 1, states: ["idle", "acting"],
  abilities: [{ name: "blow", key: "1", cost: { energy: 30 }, range_cm: 300, ...ability }],
  effects: [{ name: "burning", element: "fire", stuns: false }],
  enemies: [{ name: "brute", rank: "normal", health: 60, phases: ["whole", "wounded"] }],
  field: {
    name: "yard", width_cm: 5_000, height_cm: 5_000,
    covers: [{ name: "crate", kind: "soft", x: 2_000, y: 2_000, w: 200, h: 100, health: 40 }],
    hazards: [{ name: "oil", x: 2_500, y: 3_000, r: 150, health: 10 }],
  },
};
const BARE = { ping_ms: 20_000, idle_ms: 60_000 };
export const TIMERS = { seat_ms: 30_000, countdown_ms: 10_000, results_ms: 15_000, linger_ms: 60_000, ping_ms: 20_000, idle_ms: 60_000 };

/** The participant `player`, in one piece. */
export function fighter(player, team, more = {}) {
  const whole = { hp: 100, armor: 50, stamina: 100_000, stamina_rate: 10, ready: true };
  return { player, ...nobody(), team, ...whole, ...more };
}

/** A duel under way, in slot order. */
export function duel(more = {}) {
  return {
    phase: { status: "active", phase: "active", state: "active", until: 905_000 },
    seats: 2,
    participants: [
      fighter(ANN, 0, { x: 1_500, y: 2_500, energy: 100_000, energy_rate: 5 }),
      fighter(BOB, 1, { x: 3_500, y: 2_500 }),
    ],
    covers: [40],
    hazards: [[10, 0]],
    modifiers: [],
    ...more,
  };
}

/** The handle of a session. */
export const handle = (session) => parseInt(session.slice(-8), 16);

/** A session as the server has it. */
class Server {
  constructor(session, view) {
    this.session = session;
    this.s = handle(session);
    this.view = structuredClone(view);
    this.q = 10;
    this.at = 5_000;
    this.epoch = 1;
    this.id = 0;
    this.lastId = 0;
  }
}

/** What is told, with what a case says in `wanted` of some of it, in order. */
function filled(told, wanted) {
  const full = structuredClone(told);
  let from = 0;
  for (const { t, d = {} } of wanted) {
    const goes = (one) => one.t === t && Object.entries(d).every(([field, value]) => isDeepStrictEqual(one.d?.[field] ?? value, value));
    const at = full.findIndex((one, place) => place >= from && goes(one));
    if (at < 0) throw new Error(`the case wants ${t} ${JSON.stringify(d)} told, which is not among ${JSON.stringify(told)}`);
    if (Object.keys(d).length > 0) full[at].d = { ...full[at].d, ...d };
    from = at + 1;
  }
  return full;
}

export class Script {
  #sessions = new Map();
  #listener = new Listener();
  #steps = [];
  #head;

  constructor(name, shows, { view = duel(), other = duel(), ...head } = {}) {
    this.#head = { name, shows, ...head };
    this.#sessions.set(SESSION, new Server(SESSION, view)).set(OTHER, new Server(OTHER, other));
  }

  /** The case as it is written: at its end it has asked for all that is told. */
  get case() {
    const rest = this.#listener.loud.map((session) => this.#toldOf(session, this.#listener.take(session)));
    return { ...this.#head, steps: [...this.#steps, ...rest] };
  }

  /** The server's side of a session. */
  of(session = SESSION) {
    return this.#sessions.get(session);
  }

  step(step) {
    this.#steps.push(step);
    this.#listener.step(step, SESSION);
    return this;
  }

  does(verb, more = {}) {
    return this.step({ do: verb, ...more });
  }

  /** The player acts; the client sends it as `id`. */
  acts(id, order, session = SESSION) {
    const where = session === SESSION ? {} : { in: session };
    return this.does("act", { order, ...where }).client("action", { s: handle(session), id, ...order });
  }

  dials(least, most, more = {}) {
    return this.step({ dials: [least, most], ...more });
  }

  client(t, d, more = {}) {
    return this.step({ client: { t, d }, ...more });
  }

  server(t, d) {
    return this.step({ server: { t, d } });
  }

  closes(code) {
    return this.step({ server_closes: code });
  }

  wait(ms) {
    return this.step({ wait: ms });
  }

  quiet(ms) {
    return this.step({ quiet: ms });
  }

  holds(holds, session = SESSION) {
    return this.step(session === SESSION ? { holds } : { in: session, holds });
  }

  /** What was told since this was last asked: these are among it and none of `untold` is, or the case is wrong. The case has all of it. */
  told(told, untold = [], session = SESSION) {
    const all = filled(this.#listener.take(session), told);
    const wrong = all.filter(({ t }) => untold.includes(t));
    if (wrong.length > 0) throw new Error(`told is ${JSON.stringify(wrong)}`);
    this.#steps.push(this.#toldOf(session, all));
    return this;
  }

  #toldOf(session, told) {
    return { ...(session !== SESSION && { in: session }), told };
  }

  /** What follows from no message: the client tells that it is out of the session for good. */
  givesUp(session = SESSION) {
    this.#listener.of(session).close();
    return this;
  }

  /** The server's time beside a session's. */
  #stamp(server) {
    return { at: server.at, time: this.#head.ahead_ms === undefined ? BIRTH + server.at : "$time" };
  }

  /** A message that has a time. */
  timed(t, d, session = SESSION) {
    return this.server(t, { s: handle(session), ...d, ...this.#stamp(this.of(session)) });
  }

  joined(more = {}, session = SESSION) {
    const server = this.of(session);
    const ids = { last_id: server.lastId, applied: server.id };
    const who = { session, s: server.s, slot: 0, team: 0, resume: "snapshot", ...ids, epoch: server.epoch };
    const joined = { ...who, ...this.#stamp(server), rules: "$rules", timers: TIMERS, ...more };
    if (joined.rules === null) delete joined.rules;
    return this.server("joined", joined);
  }

  snapshot(more = {}, session = SESSION) {
    const server = this.of(session);
    const known = { s: server.s, q: server.q, id: server.id, ...this.#stamp(server), epoch: server.epoch };
    return this.server("snapshot", { ...known, view: structuredClone(server.view), h: digest(server.view), ...more });
  }

  /** The next step of the session, with its digest unless `h` is another, or `null` for none. */
  delta(changes = {}, { ms = 100, session = SESSION, ...more } = {}) {
    const server = this.of(session);
    server.view = after(server.view, changes);
    server.q += 1;
    server.at += ms;
    const h = "h" in more ? more.h : digest(server.view);
    const delta = { id: server.id, s: server.s, q: server.q, ...this.#stamp(server), ...changes, ...(h !== null && { h }) };
    return this.server("delta", delta);
  }

  /** The answer to the `join` of a custom session. */
  custom(state, more = {}, session = SESSION) {
    const custom = { type: "custom", members: [ANN, BOB], here: [ANN], version: 1, state, expires_at: "$time+86400000" };
    return this.server("joined", { session, s: handle(session), ...custom, time: "$time", timers: BARE, ...more });
  }

  /** The answer to that of a player session, which ends in `ms` unless there is a beat. */
  player(ms, more = {}, session = SESSION) {
    const player = { type: "player", version: 1, expires_at: `$time+${ms}` };
    return this.server("joined", { session, s: handle(session), ...player, time: "$time", timers: BARE, ...more });
  }

  /** What the client must have of the session now. */
  right(more = {}, session = SESSION) {
    const server = this.of(session);
    return this.holds({ status: "live", q: server.q, at: server.at, epoch: server.epoch, h: digest(server.view), ...more }, session);
  }

  /** From nothing into the session. */
  begins(session = SESSION) {
    return this.does("connect", { session }).dials(0, 0).client("join", { session }).joined({}, session).snapshot({}, session);
  }

  /** From nothing into a custom session with this state. */
  enters(state, more = {}, session = SESSION) {
    this.does("connect", { session, as: "custom" }).dials(0, 0).client("join", { session }, { lacks: ["seq", "epoch", "rules"] });
    return this.custom(state, more, session);
  }

  /** The next connection, up to the snapshot; the client says what it has. */
  resumes(least, most, { told = {}, then = () => {}, more = {} } = {}) {
    const { q, epoch } = this.of();
    this.dials(least, most).client("join", { session: SESSION, seq: q, epoch, rules: RULES_HASH, ...told });
    then(this.of());
    return this.joined({ rules: null, ...more }).snapshot();
  }
}

/** A case: `body` writes it. */
export function write(name, shows, head, body) {
  const script = new Script(name, shows, head);
  try {
    body(script);
    return script.case;
  } catch (error) {
    throw new Error(`${name}: ${error.message}`, { cause: error });
  }
}
