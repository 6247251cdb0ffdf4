// Fights made up for tests of the page: rules with a bit of everything, and snapshots and deltas as the server would say
// them, with the digests that the client computes (which is held to the server's in its own tests).

import { apply, digest } from "../../web/client/index.js";

export const SESSION = "0192f5a8-6c1e-7d40-9b1f-0000abcd1234";
export const HANDLE = 0xabcd1234;
/** The server's wall clock when the session was created. */
const BIRTH = 1_764_000_000_000;

const ability = (name, more) => ({
  name,
  kind: "ability",
  key: "",
  cost: {},
  cooldown_ms: 10_000,
  uses: 0,
  cast_ms: 0,
  channel: false,
  affects: "own",
  shape: "single",
  range_cm: 0,
  ...more,
});

/** Places in `RULES.abilities` and `RULES.effects`. */
export const A = { pulse: 0, shield: 1, berserk: 2, medkit: 3, stim: 4, slam: 5 };
export const E = { shock: 0, shield: 1, burn: 2, stun: 3, silence: 4, haste: 5 };

export const RULES = {
  name: "mixed",
  title: "A bit of everything",
  ruleset: "00".repeat(32),
  hash: "00".repeat(16),
  mode: "pvp",
  team: 0,
  health: 100,
  armor: 50,
  shield: 0,
  stamina: 100,
  stamina_per_second: 10,
  energy: 100,
  energy_per_second: 5,
  ammo: 12,
  reload_ms: 2000,
  attack_interval_ms: 400,
  attack_range_cm: 3000,
  defend_cost: 20,
  defend_ms: 1500,
  defend_cooldown_ms: 3000,
  speed_cm_per_s: 850,
  actions_per_second: 100,
  sight_cm: 0,
  rounds: 1,
  score_limit: 0,
  turn_ms: 0,
  kit: 5,
  states: ["idle", "casting", "channelling", "defending", "stunned", "eliminated"],
  abilities: [
    ability("area_pulse", { key: "Q", cost: { energy: 25 }, cooldown_ms: 12_000, affects: "enemies", shape: "area", radius_cm: 500 }),
    ability("shield_boost", { key: "E", cost: { energy: 40 }, cooldown_ms: 25_000, affects: "allies", range_cm: 2000 }),
    ability("berserk", { key: "R", cost: { charge: 100 }, cooldown_ms: 50_000 }),
    ability("medkit", { kind: "item", key: "Z", cooldown_ms: 35_000, uses: 2, cast_ms: 2200, channel: true }),
    ability("stim", { kind: "item", key: "X", cooldown_ms: 50_000, uses: 1, cast_ms: 100 }),
    ability("slam", { cooldown_ms: 8000, affects: "enemies", shape: "cone", range_cm: 900, degrees: 90, cast_ms: 800 }),
  ],
  effects: [
    { name: "shock", element: "shock", stuns: false },
    { name: "shield", stuns: false },
    { name: "burn", element: "fire", stuns: false },
    { name: "stun", stuns: true },
    { name: "silence", stuns: false, denies: ["ability"] },
    { name: "haste", stuns: false },
  ],
  enemies: [
    { name: "drone", rank: "normal", health: 40, phases: ["hunt"] },
    { name: "tank", rank: "elite", health: 240, phases: ["advance"] },
    { name: "warlord", rank: "boss", health: 900, phases: ["waves", "pulse", "vulnerable"] },
  ],
  field: {
    name: "yard",
    width_cm: 6000,
    height_cm: 4000,
    covers: [
      { name: "glass", kind: "soft", x: 1500, y: 1200, w: 50, h: 400, health: 60 },
      { name: "wood", kind: "soft", x: 4400, y: 1300, w: 100, h: 300, health: 140 },
      { name: "brick", kind: "hard", x: 2000, y: 700, w: 500, h: 100, health: 320 },
      { name: "concrete", kind: "hard", x: 2100, y: 3200, w: 400, h: 100, health: 480 },
      { name: "steel", kind: "wall", x: 2875, y: 1500, w: 250, h: 1000, health: 720 },
    ],
    hazards: [
      { name: "barrel", x: 1200, y: 800, r: 400, health: 30 },
      { name: "acid pool", x: 4900, y: 2000, r: 450, health: 0 },
    ],
  },
};

const player = (n) => `0192f5a8-7777-7d40-9b1f-${(0x1a2b3c4d5e6f + n * 0x10307050901).toString(16).slice(-12).padStart(12, "0")}`;

/** A participant in full health at a place. */
export function participant(slot, team, x, y, more = {}) {
  return {
    player: player(slot),
    team,
    status: "active",
    ready: false,
    score: 0,
    phase: 0,
    hp: 100,
    armor: 50,
    shield: 0,
    stamina: 100_000,
    stamina_at: 0,
    stamina_rate: 10,
    guard_until: 0,
    state: 0,
    x,
    y,
    effects: [],
    cast: [],
    energy: 0,
    energy_at: 0,
    energy_rate: 0,
    charge: 0,
    ammo: 0,
    reload_at: 0,
    used: [],
    ...more,
  };
}

/** What a participant is shown of itself. */
export const OWN = { energy: 100_000, energy_rate: 5, ammo: 12 };

/** A view of these participants, of whom the first so many are players. */
export function viewWith(participants, { phase = {}, seats = participants.length, field = RULES.field } = {}) {
  return {
    phase: { status: "active", phase: "active", state: "active", until: 300_000, ...phase },
    seats,
    participants,
    covers: field.covers.map(({ health }) => health),
    hazards: field.hazards.map(({ health }) => [health, 0]),
    modifiers: [],
  };
}

/** A server for one client, whose messages go to `tell`: it knows the view, the sequence and the time. */
export class Feed {
  #tell;
  view = null;
  q = 0;
  /** The highest id of the client's own actions that is applied. */
  id = 0;

  constructor(tell) {
    this.#tell = tell;
  }

  /** Lets the client join, in `slot`, and shows it `view` at session time `at`. */
  async join(slot, view, { rules = RULES, at = 1000 } = {}) {
    this.view = view;
    this.q += 1;
    this.at = at;
    const known = { at, time: BIRTH + at, epoch: 1 };
    const { team } = view.participants[slot];
    const ids = { last_id: this.id, applied: this.id };
    await this.#tell("joined", { session: SESSION, s: HANDLE, slot, team, resume: "snapshot", ...ids, ...known, rules });
    await this.#tell("snapshot", { s: HANDLE, q: this.q, id: this.id, ...known, view, h: digest(view) });
  }

  /** Says a delta `ms` later, with its digest; `id` in it is remembered. */
  async delta(ms, change) {
    this.at += ms;
    this.id = change.id ?? this.id;
    const delta = { id: this.id, s: HANDLE, q: this.q + 1, at: this.at, time: BIRTH + this.at, ...change };
    this.view = apply(this.view, this.q, delta);
    this.q += 1;
    await this.#tell("delta", { ...delta, h: digest(this.view) });
  }

  /** Says anything else. */
  say(t, d) {
    return this.#tell(t, { s: HANDLE, ...d });
  }
}
