// The fight as this player knows it: the view with its sequence, whose turn it is to do what, which actions are still to
// be answered, and how well the connection does. It takes the server's messages, hands out the player's, and tells of
// changes by events; the pages of the UI read it. No DOM, no socket; the local clock is handed in.
//
// Events: `change` (anything), `events` (detail `{events, before, after}`, what a delta brought), `refused` (detail
// `{kind, a, words}`).

import { aimOf } from "./aim.js";
import { SessionClock } from "./clock.js";
import { distance } from "./geometry.js";
import { mayAct } from "./may.js";
import { say } from "./protocol.js";
import { energyAt, guardReadyAt, kitOf, staminaAt, useOf, wallsOf } from "./rules.js";
import { Drift, apply, viewOf } from "./view.js";
import { Walk } from "./walk.js";
import { refusal } from "./words.js";

/** Joins in a row that no right digest followed; more would only load the server. */
const RESYNCS_MAX = 5;
/** Latencies remembered for the median. */
const SAMPLES_MAX = 101;
const NOWHERE = { x: 0, y: 0 };

export class Game extends EventTarget {
  #now;
  #clock = new SessionClock();
  #send = () => false;
  #nextId = 1;
  /** Sent actions by id, until the view shows them. */
  #pending = new Map();
  #awaitsSnapshot = true;
  #resyncs = 0;
  #readyWanted = false;
  #samples = [];
  #walls = null;

  constructor(now = () => performance.now()) {
    super();
    this.#now = now;
    this.begin({});
  }

  /** Forgets the last fight and prepares for the next; `send` says a message to the server. */
  begin({ session = null, kind = null, seats = 0, send = () => false }) {
    this.session = session;
    this.kind = kind;
    this.seats = seats;
    this.#send = send;
    this.view = null;
    this.rules = null;
    this.walk = new Walk();
    this.heading = { x: 1, y: 0 };
    /** The part of the body that attacks go to, and the place the player points at on the field. */
    this.part = "torso";
    this.pointed = null;
    this.attackReadyAt = 0;
    this.q = undefined;
    this.slot = null;
    this.handle = null;
    this.target = null;
    this.outcome = null;
    this.drift = 0;
    this.deltas = 0;
    this.snapshots = 0;
    this.digests = 0;
    this.rttMs = null;
    this.link = { name: "closed" };
    this.#clock.reset();
    this.#nextId = 1;
    this.#pending.clear();
    this.#awaitsSnapshot = true;
    this.#resyncs = 0;
    this.#readyWanted = false;
    this.#samples = [];
    this.#walls = null;
    this.#changed();
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
    return this.link.name === "live" && !this.#awaitsSnapshot;
  }

  get me() {
    return this.view?.participants[this.slot] ?? null;
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
    return this.#readyWanted || Boolean(this.me?.ready);
  }

  /** Session time in milliseconds. */
  get time() {
    return this.#clock.at(this.#now());
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
    return [...this.#pending.values()].some((action) => action.kind === kind && action.a === a);
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
    const action = { id: this.#nextId++, ...order, sentAt: this.#now() };
    this.#pending.set(action.id, action);
    this.#sendAction(action);
    this.#changed();
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
      const action = { id: this.#nextId++, kind: "move", ...claim, sentAt: this.#now() };
      this.#pending.set(action.id, action);
      this.#sendAction(action);
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
      this.#readyWanted = true;
      this.#send(say.ready(this.handle));
      this.#changed();
    }
  }

  /** Gives the player's seat up, where the fight is not decided: the others need not wait for it to be lost. */
  concede() {
    if (this.view !== null && this.outcome === null) {
      this.#send(say.concede(this.handle));
    }
  }

  /** Takes a change of the connection's state. */
  linked(link) {
    this.link = link;
    if (link.name !== "live") {
      this.#awaitsSnapshot = true;
    }
    if (link.name === "joining") {
      // The session's clock stood still if its server did.
      this.#clock.reset();
    }
    this.#changed();
  }

  /** Takes one message of the server, which came at local time `at`. */
  take({ t, d }, at) {
    if (t !== "joined" && d.s !== undefined && d.s !== this.handle) {
      return;
    }
    switch (t) {
      case "joined":
        this.#joined(d);
        break;
      case "snapshot":
        this.#snapshot(d, at);
        break;
      case "delta":
        this.#delta(d, at);
        break;
      case "ack":
        this.#ack(d, at);
        break;
      case "refused":
        this.#refused(d, at);
        break;
      case "forgotten":
        // Whether it was done the view says.
        this.#pending.delete(d.id);
        break;
      case "result":
        this.outcome = d;
        break;
      case "error":
        if (this.#awaitsSnapshot && d.reason === "already_joined") {
          // Asked again too soon: the next delta, which does not fit either, asks once more.
          this.#awaitsSnapshot = false;
          this.#resyncs -= 1;
          break;
        }
        this.#tell("refused", { kind: "error", words: refusal(d.reason) });
        break;
    }
    this.#changed();
  }

  #joined({ s, slot, last_id: lastId, rules }) {
    this.handle = s;
    this.rules = rules;
    this.slot = slot;
    this.#awaitsSnapshot = true;
    this.#nextId = Math.max(this.#nextId, lastId + 1);
    // What was sent and never answered goes again under its old id: the server does it once, whichever copy it reads.
    for (const action of this.#pending.values()) {
      this.#sendAction(action);
    }
  }

  #snapshot(snapshot, at) {
    try {
      this.view = viewOf(snapshot);
      this.#trusted();
    } catch (error) {
      this.#drifted(error);
      this.view = snapshot.view;
    }
    this.q = snapshot.q;
    this.snapshots += 1;
    this.#awaitsSnapshot = false;
    this.#walls = null;
    this.walk.placed(this.me);
    this.#viewed(snapshot.at, at);
    if (this.#readyWanted && this.phase === "preparation" && !this.me.ready) {
      this.#send(say.ready(this.handle));
    }
  }

  #delta(delta, at) {
    if (this.#awaitsSnapshot) {
      return;
    }
    const before = this.view;
    const mine = this.me;
    try {
      this.view = apply(before, this.q, delta);
    } catch (error) {
      this.#drifted(error);
      this.#resync();
      return;
    }
    this.q = delta.q;
    this.deltas += 1;
    if (delta.h !== undefined) {
      this.#trusted();
    }
    const events = delta.ev ?? [];
    const swung = ({ k, by, a }) => by === this.slot && a === undefined && (k === "hit" || k === "missed" || k === "struck");
    if (events.some(swung)) {
      this.attackReadyAt = delta.at + this.rules.attack_interval_ms;
    }
    if (delta.c) {
      this.#walls = null;
    }
    if (mine && (mine.x !== this.me.x || mine.y !== this.me.y)) {
      this.walk.placed(this.me);
    }
    this.#viewed(delta.at, at);
    this.#tell("events", { events, before, after: this.view });
  }

  /** What follows from every new view, of session time `time`, that came at local time `at`. */
  #viewed(time, at) {
    const { status, phase, end } = this.view.phase;
    this.#clock.observe(time, at, status === "initializing" || status === "active");
    this.seats = this.view.seats;
    for (const [id, action] of this.#pending) {
      if (action.q <= this.q) {
        this.#pending.delete(id);
      }
    }
    if (!this.#standing(this.target) || !this.isFoe(this.target)) {
      this.target = this.#nearest();
    }
    if (phase !== "preparation") {
      this.#readyWanted = false;
    }
    if (phase === "cooldown" || phase === "finished") {
      this.#pending.clear();
      // Between two rounds nothing is decided.
      if (end !== undefined || phase === "finished") {
        this.outcome ??= outcomeOf(this.view, this.q);
      }
    }
  }

  #ack({ id, q }, at) {
    const action = this.#pending.get(id);
    if (!action) {
      return;
    }
    this.#measured(action, at);
    action.q = q;
    if (q <= this.q) {
      this.#pending.delete(id);
    }
  }

  #refused({ id, reason, retry_ms: retryMs }, at) {
    if (id === 0) {
      const late = this.phase !== "preparation";
      this.#readyWanted = false;
      if (!late) {
        this.#tell("refused", { kind: "ready", words: refusal(reason, retryMs) });
      }
      return;
    }
    const action = this.#pending.get(id);
    if (!action) {
      return;
    }
    this.#pending.delete(id);
    this.#measured(action, at);
    if (action.kind === "move") {
      this.walk.refused(reason, this.me);
      return;
    }
    if (action.kind === "attack" && reason === "cooldown" && retryMs) {
      this.attackReadyAt = Math.max(this.attackReadyAt, this.time + retryMs);
    }
    this.#tell("refused", { kind: action.kind, a: action.a, words: refusal(reason, retryMs) });
  }

  #measured(action, at) {
    this.#samples.push(at - action.sentAt);
    if (this.#samples.length > SAMPLES_MAX) {
      this.#samples.shift();
    }
  }

  #sendAction({ q, sentAt: _, ...action }) {
    if (q === undefined) {
      this.#send(say.action(this.handle, action));
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

  #trusted() {
    this.digests += 1;
    this.#resyncs = 0;
  }

  #drifted(error) {
    if (!(error instanceof Drift)) {
      throw error;
    }
    this.drift += 1;
  }

  #resync() {
    this.#awaitsSnapshot = true;
    this.#resyncs += 1;
    if (this.#resyncs <= RESYNCS_MAX) {
      this.#send(say.join(this.session, this.q));
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
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
