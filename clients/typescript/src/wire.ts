// The messages of the wire, version 2, as docs/PROTOCOL.md has them. Fields that have nothing to say are absent.

export type Status = "initializing" | "active" | "paused" | "completed" | "terminated";
export type PhaseName = "preparation" | "active" | "cooldown" | "finished";
export type BodyPart = "head" | "torso" | "limb";
export type ActionKind = "attack" | "defend" | "ability" | "item_use" | "move";

/** A place on the field, in centimetres. */
export interface Place {
  x: number;
  y: number;
}

/** Where somebody looks and how it moves; what is absent is 0. */
export interface Motion {
  /** Whole degrees from 0 to 359: 0 is +x, 90 is +y. */
  f?: number;
  /** Centimetres a second. */
  vx?: number;
  vy?: number;
}

/** What JSON holds. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The course of the fight. */
export interface Phase {
  status: Status;
  phase: PhaseName;
  /** The ruleset's own name for it. */
  state: string;
  until?: number;
  winner?: number;
  team?: number;
  end?: string;
  round?: number;
  wins?: [team: number, rounds: number][];
  turn?: number;
  turn_until?: number;
}

/** A participant as this player is shown it: what is hidden is at its zero value. */
export interface Participant extends Place, Motion {
  player: string;
  team: number;
  status: "active" | "eliminated" | "disconnected";
  ready: boolean;
  score: number;
  hidden?: boolean;
  enemy?: number;
  phase: number;
  hp: number;
  armor: number;
  shield: number;
  stamina: number;
  stamina_at: number;
  stamina_rate: number;
  guard_until: number;
  state: number;
  effects: [effect: number, stacks: number, until: number][];
  /** Empty where nothing is cast. */
  cast: [ability?: number, until?: number];
  energy: number;
  energy_at: number;
  energy_rate: number;
  charge: number;
  ammo: number;
  reload_at: number;
  used: [ability: number, times: number, readyAt: number][];
}

/** A fight as this player is shown it. */
export interface View {
  phase: Phase;
  seats: number;
  participants: Participant[];
  covers: number[];
  hazards: [health: number, gone: number][];
  modifiers: number[];
}

/** New values of the fields of the participant in slot `i`. */
export type Patch = { i: number } & Partial<Participant>;

/** How somebody comes to be connected: for the first time, again, or in place of an older connection; or comes not to be. */
export type Why = "joined" | "returned" | "replaced" | "lost" | "left";

/** Something that happened; `k` says which of the others are there. */
export interface FightEvent {
  k: string;
  by?: number;
  to?: number;
  n?: number;
  crit?: boolean;
  guarded?: boolean;
  a?: number;
  e?: number;
  c?: number;
  z?: number;
  st?: number;
  until?: number;
  react?: boolean;
  abs?: number;
  enemy?: number;
  team?: number;
  /** Of `connected`: the first three; of `disconnected`: the others. */
  why?: Why;
}

export interface AbilityRules {
  name: string;
  kind: "ability" | "item" | "passive";
  key: string;
  cost: { stamina?: number; energy?: number; charge?: number; ammo?: number };
  cooldown_ms: number;
  uses: number;
  cast_ms: number;
  channel: boolean;
  affects: "own" | "allies" | "enemies" | "others" | "fallen";
  shape: "single" | "area" | "line" | "cone";
  range_cm: number;
  radius_cm?: number;
  width_cm?: number;
  degrees?: number;
  /** Most targets of an area, a line or a cone. */
  targets?: number;
  /** Walls are in its way. */
  sight?: boolean;
  /** Of a cast: it does what it does every so often, and not once at the end. */
  every_ms?: number;
  /** Of a cast: more damage than this in all breaks it. */
  broken_by?: number;
  /** Only at targets that have less than this share of their health. */
  below_percent?: number;
}

/** What an effect changes. */
export type Changed =
  | "damage_dealt"
  | "damage_taken"
  | "rage"
  | "speed"
  | "accuracy"
  | "armor"
  | "healing"
  | "regeneration";

export interface EffectRules {
  name: string;
  element?: string;
  stuns: boolean;
  denies?: ActionKind[];
  /** How long it lasts. */
  ms: number;
  /** Most stacks or copies of it; one where it is not said. */
  stacks?: number;
  /** How often it hurts or heals, and how much each stack. */
  tick_ms?: number;
  tick_damage?: number;
  tick_heal?: number;
  /** By how many percent each stack changes what; all of them are added up. */
  changes?: Partial<Record<Changed, number>>;
  /** Damage that it takes in place of health, in percent of its bearer's most health. */
  absorbs_percent?: number;
  /** The first damage ends it. */
  fragile?: boolean;
}

/** What a session is played by; it never changes. */
export interface Rules {
  name: string;
  title: string;
  /** Of the ruleset's text. */
  ruleset: string;
  /** Over all that is here. */
  hash: string;
  mode: string;
  health: number;
  shield: number;
  armor: number;
  stamina: number;
  stamina_per_second: number;
  energy: number;
  energy_per_second: number;
  ammo: number;
  reload_ms: number;
  attack_interval_ms: number;
  attack_range_cm: number;
  defend_cost: number;
  defend_ms: number;
  defend_cooldown_ms: number;
  /** What effects make of it is in their `changes`. */
  speed_cm_per_s: number;
  /** Actions of a participant in a second, and at once; 0 where they are not counted. */
  actions_per_second: number;
  sight_cm: number;
  rounds: number;
  score_limit: number;
  turn_ms: number;
  kit: number;
  states: string[];
  abilities: AbilityRules[];
  effects: EffectRules[];
  enemies: { name: string; rank: "normal" | "elite" | "boss"; health: number; phases: string[] }[];
  field: {
    name: string;
    width_cm: number;
    height_cm: number;
    covers: { name: string; kind: "soft" | "hard" | "wall"; x: number; y: number; w: number; h: number; health: number }[];
    hazards: { name: string; x: number; y: number; r: number; health: number; everywhere?: boolean }[];
  };
}

/** How long this server and this session wait for what. */
export interface Timers {
  seat_ms: number;
  countdown_ms: number;
  results_ms: number;
  linger_ms: number;
  ping_ms: number;
  idle_ms: number;
}

/** Session time and the server's wall clock at one moment. */
export interface Stamp {
  at: number;
  time: number;
}

export interface Joined extends Stamp {
  session: string;
  s: number;
  type?: "combat";
  slot: number;
  team: number;
  /** `snapshot`: one comes. `deltas`: none, but every delta after the sequence that the client named. */
  resume: string;
  /** Why it is no `deltas`, where a sequence was named. */
  why?: string;
  last_id: number;
  applied: number;
  epoch: number;
  /** Absent where the client named the hash of the rules it has. */
  rules?: Rules;
  timers?: Partial<Timers>;
}

/** A custom session that was joined. */
export interface JoinedCustom {
  session: string;
  s: number;
  type: "custom";
  members: string[];
  /** Who of them is connected. */
  here: string[];
  version: number;
  state: Json;
  time: number;
  timers?: Partial<Timers>;
}

/** A player session that was joined. */
export interface JoinedPlayer {
  session: string;
  s: number;
  type: "player";
  version: number;
  /** In the server's Unix milliseconds. */
  expires_at: number;
  time: number;
  timers?: Partial<Timers>;
}

export type JoinedAny = Joined | JoinedCustom | JoinedPlayer;

/** A session that is no fight has another version: by a merge patch, or, where several were left out, as a whole. */
export interface StateChange {
  s: number;
  version: number;
  /** Absent where something else has changed. */
  merge?: Json;
  /** All of it, in place of what was left out. */
  state?: Json;
  by?: string;
  /** Where that has changed, and with `state`. */
  members?: string[];
  here?: string[];
  time: number;
}

/** What another member said; `n` rises by one with each of the session. */
export interface Relayed {
  s: number;
  n: number;
  from: string;
  data: Json;
  time: number;
}

/** A member came or went, and how many are there now. */
export interface Presence {
  s: number;
  player: string;
  why: Why;
  members_here?: number;
}

/** What was relayed from number `from` to `to` did not reach this member. */
export interface MissedRelays {
  s: number;
  from: number;
  to: number;
}

/** Events that were left out for a client that had fallen behind, from the first sequence to the last. */
export interface Missed {
  /** Absent where it is not known how many. */
  events?: number;
  from: number;
  to: number;
}

export interface Snapshot extends Stamp {
  s: number;
  q: number;
  epoch: number;
  /** The highest id of one's own action that is applied in this state. */
  id: number;
  view: View;
  h: number;
  missed?: Missed;
}

export interface Delta extends Stamp {
  s: number;
  q: number;
  id: number;
  ev?: FightEvent[];
  n?: number;
  p?: Patch[];
  ph?: Phase;
  c?: [cover: number, health: number][];
  z?: [hazard: number, health: number, gone: number][];
  m?: number[];
  h?: number;
}

export interface Ack {
  s: number;
  id: number;
  q: number;
}

/** What a request of a session that is no fight has come to. */
export interface Done {
  s: number;
  id: number;
  /** Of a `patch`: the version that the state has by it. */
  version?: number;
  /** Of a `relay`: how many it was handed to. */
  to?: number;
  /** Of a `beat`. */
  expires_at?: number;
}

export interface Refused {
  s: number;
  id: number;
  reason: string;
  message?: string;
  retry_ms?: number;
  x?: number;
  y?: number;
  allowed_cm?: number;
  /** Of a `version_conflict`: the newest. */
  version?: number;
}

export interface Forgotten {
  s: number;
  id: number;
  /** `false` where it was certainly not applied. */
  applied?: boolean;
  last_id: number;
}

export interface Result extends Stamp {
  s: number;
  q: number;
  reason: string;
  winner?: number;
  team?: number;
  duration_ms: number;
  standings: { slot: number; player: string; team: number; enemy?: number; score: number; eliminations: number; damage: number }[];
}

export interface Left {
  s: number;
  why: string;
}

export interface Notice {
  reason: string;
  /** The type of the message that it answers, and the session or the handle that this named. */
  re?: string;
  session?: string;
  s?: number;
  message?: string;
  retry_ms?: number;
  /** Of `rolled_back`: the sequence and epoch that the `join` named, and those that the server has. */
  rolled_back?: { from?: number; from_epoch?: number; to: number; to_epoch: number };
}

export interface Pong {
  n: number;
  time: number;
  /** The session that was asked about; its time is there where that is a fight. */
  s?: number;
  at?: number;
}

/** A message of the server, of the types that this client knows. */
export type ServerMessage =
  | { t: "joined"; d: JoinedAny }
  | { t: "snapshot"; d: Snapshot }
  | { t: "delta"; d: Delta }
  | { t: "ack"; d: Ack | Done }
  | { t: "refused"; d: Refused }
  | { t: "forgotten"; d: Forgotten }
  | { t: "result"; d: Result }
  | { t: "left"; d: Left }
  | { t: "state"; d: StateChange }
  | { t: "relayed"; d: Relayed }
  | { t: "presence"; d: Presence }
  | { t: "missed"; d: MissedRelays }
  | { t: "error"; d: Notice }
  | { t: "pong"; d: Pong }
  | { t: "expiring"; d: { left_ms: number } }
  | { t: "renewed"; d: { left_ms: number } };

/** What a player wants done: an action without its session and number. */
export interface Order extends Motion {
  kind: ActionKind;
  to?: number;
  part?: BodyPart;
  a?: number;
  x?: number;
  y?: number;
  c?: number;
  z?: number;
}

/** A message of a client. */
export type ClientMessage =
  | { t: "join"; d: { session: string; seq?: number; epoch?: number; rules?: string } }
  | { t: "leave" | "ready" | "concede"; d: { s: number } }
  | { t: "action"; d: { s: number; id: number } & Order }
  | { t: "patch"; d: { s: number; id: number; merge: Json; if?: number } }
  | { t: "relay"; d: { s: number; id: number; data: Json; to?: string } }
  | { t: "beat"; d: { s: number; id: number } }
  | { t: "ping"; d: { n: number; s?: number } }
  | { t: "renew"; d: { token: string } | { ticket: string } };
