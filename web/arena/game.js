// The fight as this page shows it: what the client (web/client) has of it, whose turn it is to do what, which actions the view
// does not show yet, and how well the connection does. It hands out what the player does, and tells of changes by events; the
// pages of the UI read it. No DOM, no socket.
//
// Events: `change` (anything), `events` (detail `{events, before, after}`, what a delta brought), `refused` (detail
// `{kind, a, words}`).

import { aimOf } from "./aim.js";
import { distance } from "./geometry.js";
import { mayAct } from "./may.js";
import { energyAt, guardReadyAt, kitOf, staminaAt, useOf, wallsOf } from "./rules.js";
import { Walk } from "./walk.js";
import { closed, refusal } from "./words.js";

/** Latencies remembered for the median. */
const SAMPLES_MAX = 101;
const NOWHERE = { x: 0, y: 0 };

export class Game extends EventTarget {
  #fight = null;
  /** Ends what is heard of the fight. */
  #deafen = [];
  /** Sent actions by id, until the view shows them. */
  #waiting = new Map();
  #readySaid = false;
  #tries = 0;
  #samples = [];
  #walls = null;

  constructor() {
    super();
    this.begin({});
  }

  /** Forgets the last fight and shows the next: `fight` is the client's. */
  begin({ session = null, kind = null, seats = 0, fight = null }) {
    this.#deafen.forEach((off) => off());
    this.#fight = fight;
    this.session = session;
    this.kind = kind;
    this.seats = seats;
    this.walk = new Walk();
    this.heading = { x: 1, y: 0 };
    /** The part of the body that attacks go to, and the place the player points at on the field. */
    this.part = "torso";
    this.pointed = null;
    this.attackReadyAt = 0;
    this.target = null;
    this.outcome = null;
    this.drift = 0;
    this.deltas = 0;
    this.snapshots = 0;
    this.digests = 0;
    this.#waiting.clear();
    this.#readySaid = false;
    this.#tries = 0;
    this.#samples = [];
    this.#walls = null;
    this.#deafen = fight === null ? [] : this.#hear(fight);
    this.#changed();
  }

  /** Listens to the client's `fight`. */
  #hear(fight) {
    const on = (name, act) =>
      fight.on(name, (told) => {
        act(told);
        this.#changed();
      });
    return [
      on("status", (status) => this.#linked(status)),
      on("snapshot", (snapshot) => this.#snapshot(snapshot)),
      on("delta", (delta) => this.#delta(delta)),
      on("ack", (ack) => this.#ack(ack)),
      on("refused", (refused) => this.#refused(refused)),
      // Whether it was done the view says.
      on("forgotten", ({ id }) => this.#waiting.delete(id)),
      on("drift", () => (this.drift += 1)),
      on("result", (result) => (this.outcome = result)),
      on("error", ({ reason }) => this.#told(reason)),
    ];
  }

  get view() {
    return this.#fight?.view ?? null;
  }

  get rules() {
    return this.#fight?.rules ?? null;
  }

  /** The sequence of the view. */
  get q() {
    return this.#fight?.seq;
  }

  get slot() {
    return this.view === null ? null : this.#fight.slot;
  }

  /**
   * Where the connection is: `name` is the client's status; of one that is closed `words` say why, and `again` whether the player may
   * try once more; `tries` is how often it was tried to come back.
   */
  get link() {
    const { status: name = "closed", closing = null } = this.#fight ?? {};
    const why = closing && { code: closing.code, ...closed(closing) };
    return { name, tries: this.#tries, ...why };
  }

  /** Milliseconds there and back. */
  get rttMs() {
    const latency = this.#fight?.connection.clock.latency ?? null;
    return latency === null ? null : latency * 2;
  }

  get phase() {
    return this.view?.phase.phase ?? null;
  }

  get status() {
    return this.view?.phase.status ?? null;
  }

  get paused() {
    return this.status === "paused";
  }

  get live() {
    return this.#fight?.status === "live";
  }

  get me() {
    return this.#fight?.me ?? null;
  }

  /** Whether the one in `slot` is played by the server: those sit behind the players' seats. */
  isServers(slot) {
    return slot >= this.view.seats;
  }

  /** How many seats of players are taken. Before the fight begins one that was given up is free again. */
  get seated() {
    const players = this.view?.participants.slice(0, this.view.seats) ?? [];
    const free = this.status === "initializing" ? players.filter(({ status }) => status === "eliminated").length : 0;
    return players.length - free;
  }

  get full() {
    return this.view !== null && this.seated >= this.view.seats;
  }

  /** Whether this player has said to be ready, or is about to. */
  get ready() {
    return this.#readySaid || Boolean(this.me?.ready);
  }

  /** Session time in milliseconds. */
  get time() {
    return this.#fight?.now() ?? 0;
  }

  /** Milliseconds from an action's sending to its answer: the last one and the median; `rtt` of the last ping. */
  get latency() {
    const sorted = [...this.#samples].sort((a, b) => a - b);
    return {
      rtt: this.rttMs,
      last: this.#samples.at(-1) ?? null,
      p50: sorted[Math.floor(sorted.length / 2)] ?? null,
      answered: this.#samples.length,
    };
  }

  /** Slots of those that can be struck, seen ones first. */
  get rivals() {
    const { participants } = this.view ?? { participants: [] };
    const foes = participants.map((_, slot) => slot).filter((slot) => this.isFoe(slot));
    return foes.sort((a, b) => Boolean(participants[a].hidden) - Boolean(participants[b].hidden));
  }

  /** Whether there is more than one against the player, or anybody beside. */
  get crowded() {
    return (this.view?.seats ?? 0) > 2 || (this.view?.participants.length ?? 0) > 2;
  }

  /** Whether players fight in teams, of which this one has a number. */
  get teams() {
    const { participants } = this.view ?? { participants: [] };
    return participants.some(({ team }, slot) => team !== slot);
  }

  /** Whether the one in `slot` is on another side. */
  isFoe(slot) {
    return slot !== this.slot && this.view.participants[slot].team !== this.me?.team;
  }

  /** Where the player is, with the steps that are still on their way. */
  get place() {
    return this.walk.at ?? this.me ?? NOWHERE;
  }

  /** Where to draw the one in `slot`: the others between two places that the server has told, a moment in the past. */
  drawn(slot) {
    return slot === this.slot ? this.place : (this.#fight.place(slot) ?? this.view.participants[slot]);
  }

  /** The abilities and items the player has. */
  get kit() {
    return kitOf(this.rules);
  }

  /** Points of stamina of the participant in `slot`, now. */
  stamina(slot) {
    return staminaAt(this.view.participants[slot], this.rules, this.time) / 1000;
  }

  /** Points of the player's energy, now. */
  get energy() {
    return energyAt(this.me, this.rules, this.time) / 1000;
  }

  /** Milliseconds for which the guard of the participant in `slot` is still up. */
  guardMs(slot) {
    const guarding = this.phase === "active" && this.view.participants[slot].status !== "eliminated";
    return guarding ? Math.max(0, this.view.participants[slot].guard_until - this.time) : 0;
  }

  /** Milliseconds until the phase ends by itself, if it does. */
  get untilMs() {
    const until = this.view?.phase.until;
    return until === undefined ? null : Math.max(0, until - this.time);
  }

  /** Milliseconds until the cooldown of `attack`, `defend`, or ability `a` is over. */
  cooldownMs(kind, a) {
    if (!this.me) {
      return 0;
    }
    const readyAt =
      kind === "attack"
        ? this.attackReadyAt
        : kind === "defend"
          ? guardReadyAt(this.me, this.rules)
          : useOf(this.me, a).readyAt;
    return Math.max(0, readyAt - this.time);
  }

  /** Whether an action like this is on its way. */
  waitsFor(kind, a) {
    return [...this.#waiting.values()].some((action) => action.kind === kind && action.a === a);
  }

  /** Whether the player may do `kind` now: `{ok}`, and where not why (`reason`) and for how long (`waitMs`). */
  can(kind, a) {
    return mayAct(this, kind, a);
  }

  /** Does `kind`, with ability `a` where it is one, if it may be done now; the answer is that of `can`. */
  act(kind, a) {
    const may = this.can(kind, a);
    if (may.ok) {
      this.#start({ kind, a, ...this.#aimed(kind, a) });
    }
    return may;
  }

  /** Strikes a cover or a hazard: `{c}` or `{z}`. */
  strikeThing(thing) {
    const may = this.can("attack");
    const ok = may.ok || may.reason === "needs_target" || may.reason === "out_of_range";
    if (ok) {
      this.#start({ kind: "attack", ...thing });
    }
    return ok ? { ok } : may;
  }

  #aimed(kind, a) {
    if (kind === "attack") {
      return { to: this.target, part: this.part === "torso" ? undefined : this.part };
    }
    if (kind === "defend") {
      return {};
    }
    const { ok: _, ...aim } = aimOf(this, this.kit.find((ability) => ability.a === a));
    return aim;
  }

  #start(order) {
    this.#await(this.#fight.act(present(order)));
    this.#changed();
  }

  /** Remembers an action until the view shows it. */
  #await({ id, order: { kind, a } }) {
    if (id !== 0) {
      this.#waiting.set(id, { kind, a, sentAt: this.#now() });
    }
  }

  #now() {
    return this.#fight.connection.env.now();
  }

  /** Moves the player on, and claims where it is; call it with every picture. */
  stride() {
    if (this.view === null || !this.me) {
      return;
    }
    const { x, y } = this.place;
    const claim = this.walk.step(this.#now(), {
      speed: this.rules.speed_cm_per_s,
      field: this.rules.field,
      walls: (this.#walls ??= wallsOf(this.rules, this.view)),
      may: this.can("move").ok,
    });
    const [dx, dy] = [this.place.x - x, this.place.y - y];
    const far = Math.hypot(dx, dy);
    if (far > 1) {
      this.heading = { x: dx / far, y: dy / far };
    }
    if (claim) {
      this.#await(this.#fight.move(claim.x, claim.y, claim));
    }
  }

  /** Makes the rival in `slot` the one that attacks go to. */
  aim(slot) {
    if (this.#standing(slot) && slot !== this.target) {
      this.target = slot;
      this.#changed();
    }
  }

  /** Says that the player is ready, now or as soon as there is a connection. */
  sayReady() {
    if (this.phase === "preparation" && !this.ready) {
      this.#readySaid = true;
      this.#fight.ready();
      this.#changed();
    }
  }

  /** Gives the player's seat up, where the fight is not decided: the others need not wait for it to be lost. */
  concede() {
    if (this.view !== null && this.outcome === null) {
      this.#fight.concede();
    }
  }

  #linked(status) {
    this.#tries = status === "live" ? 0 : this.#tries + (status === "waiting");
    if (status === "closed") {
      this.#waiting.clear();
    }
  }

  /** The server could not do what it was asked. */
  #told(reason) {
    // The client asks again by itself.
    if (reason !== "already_joined") {
      this.#tell("refused", { kind: "error", words: refusal(reason) });
    }
  }

  #snapshot(snapshot) {
    this.snapshots += 1;
    this.digests += 1;
    this.#walls = null;
    this.#viewed();
  }

  #delta(delta) {
    this.deltas += 1;
    this.digests += delta.h !== undefined;
    const events = delta.ev ?? [];
    const swung = ({ k, by, a }) => by === this.slot && a === undefined && (k === "hit" || k === "missed" || k === "struck");
    if (events.some(swung)) {
      this.attackReadyAt = delta.at + this.rules.attack_interval_ms;
    }
    if (delta.c) {
      this.#walls = null;
    }
    this.#viewed();
    this.#tell("events", { events, before: delta.before, after: this.view });
  }

  /** What follows from every new view. */
  #viewed() {
    const { phase, end } = this.view.phase;
    this.seats = this.view.seats;
    this.walk.placed(this.#fight.place(this.slot));
    for (const [id, action] of this.#waiting) {
      if (action.q <= this.q) {
        this.#waiting.delete(id);
      }
    }
    if (!this.#standing(this.target) || !this.isFoe(this.target)) {
      this.target = this.#nearest();
    }
    if (phase !== "preparation") {
      this.#readySaid = false;
    }
    if (phase === "cooldown" || phase === "finished") {
      this.#waiting.clear();
      // Between two rounds nothing is decided.
      if (end !== undefined || phase === "finished") {
        this.outcome ??= outcomeOf(this.view, this.q);
      }
    }
  }

  #ack({ id, q }) {
    const action = this.#waiting.get(id);
    if (!action) {
      return;
    }
    this.#measured(action);
    action.q = q;
    if (action.kind === "move") {
      this.walk.accepted();
    }
    if (q <= this.q) {
      this.#waiting.delete(id);
    }
  }

  #refused({ id, reason, retry_ms: retryMs }) {
    if (id === 0) {
      const late = this.phase !== "preparation";
      this.#readySaid = false;
      if (!late) {
        this.#tell("refused", { kind: "ready", words: refusal(reason, retryMs) });
      }
      return;
    }
    const action = this.#waiting.get(id);
    if (!action) {
      return;
    }
    this.#waiting.delete(id);
    this.#measured(action);
    if (action.kind === "move") {
      this.walk.refused(reason, this.#fight.place(this.slot));
      return;
    }
    if (action.kind === "attack" && reason === "cooldown" && retryMs) {
      this.attackReadyAt = Math.max(this.attackReadyAt, this.time + retryMs);
    }
    this.#tell("refused", { kind: action.kind, a: action.a, words: refusal(reason, retryMs) });
  }

  #measured(action) {
    this.#samples.push(this.#fight.connection.heardAt - action.sentAt);
    if (this.#samples.length > SAMPLES_MAX) {
      this.#samples.shift();
    }
  }

  /** Whether somebody stands in `slot` whom the player sees, and who is not the player. */
  #standing(slot) {
    const participant = this.view?.participants[slot];
    const there = participant !== undefined && slot !== this.slot;
    return there && participant.status !== "eliminated" && !participant.hidden;
  }

  /** The nearest rival that can be struck; of equally near ones the first. */
  #nearest() {
    const far = (slot) => distance(this.place, this.view.participants[slot]);
    const standing = this.me ? this.rivals.filter((slot) => this.#standing(slot)) : [];
    return standing.sort((a, b) => far(a) - far(b))[0] ?? null;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Fields that have nothing to say are left out. */
function present(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** The outcome as the view alone has it, for a page that was not there when the result was told. */
function outcomeOf(view, q) {
  const { winner, team, end } = view.phase;
  const first = (row) => (row.slot === winner) + (team !== undefined && row.team === team);
  const standings = view.participants
    .map(({ player, team: of, score, enemy }, slot) => ({ slot, player, team: of, score, enemy }))
    .sort((a, b) => first(b) - first(a) || b.score - a.score);
  return { q, reason: end, winner, team, standings };
}
