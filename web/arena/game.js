// The fight as this player knows it: the view with its sequence, whose turn it is to do what, which actions are still to
// be answered, and how well the connection does. It takes the server's messages, hands out the player's, and tells of
// changes by events; the pages of the UI read it. No DOM, no socket; the local clock is handed in.
//
// Events: `change` (anything), `events` (detail `{events, before, after}`, what a delta brought), `refused` (detail
// `{kind, words}`).

import { SessionClock } from "./clock.js";
import { Drift, apply, guardReadyAt, say, staminaAt, viewOf } from "./protocol.js";
import { refusal } from "./words.js";

/** Joins in a row that no right digest followed; more would only load the server. */
const RESYNCS_MAX = 5;
/** Latencies remembered for the median. */
const SAMPLES_MAX = 101;

const READY = { ok: true };

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
  #attackReadyAt = 0;
  #samples = [];

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
    this.#attackReadyAt = 0;
    this.#samples = [];
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

  get full() {
    return this.view !== null && this.view.participants.length >= this.view.seats;
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

  /** Slots of the others, those that can be struck first to last. */
  get rivals() {
    return (this.view?.participants ?? []).map((_, slot) => slot).filter((slot) => slot !== this.slot);
  }

  /** Points of stamina of the participant in `slot`, now. */
  stamina(slot) {
    return staminaAt(this.view.participants[slot], this.view.rules, this.time) / 1000;
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

  /** Milliseconds until the cooldown of `attack` or `defend` is over. */
  cooldownMs(kind) {
    if (!this.me) {
      return 0;
    }
    const readyAt = kind === "attack" ? this.#attackReadyAt : guardReadyAt(this.me, this.view.rules);
    return Math.max(0, readyAt - this.time);
  }

  /** Whether the player may do `kind` now: `{ok}`, and where not why (`reason`) and for how long (`waitMs`). */
  can(kind) {
    const not = (reason, waitMs) => ({ ok: false, reason, waitMs });
    if (!this.live) {
      return not("offline");
    }
    if (this.paused) {
      return not("paused");
    }
    if (this.phase !== "active") {
      return not("wrong_phase");
    }
    if (this.me.status === "eliminated") {
      return not("eliminated");
    }
    if ([...this.#pending.values()].some((action) => action.kind === kind)) {
      return not("pending");
    }
    const cooldownMs = this.cooldownMs(kind);
    if (cooldownMs > 0) {
      return not("cooldown", cooldownMs);
    }
    if (kind === "attack") {
      return this.target === null ? not("needs_target") : READY;
    }
    const { rules } = this.view;
    const missing = rules.defend_cost - this.stamina(this.slot);
    return missing > 0 ? not("not_enough_stamina", (missing * 1000) / rules.stamina_per_second) : READY;
  }

  /** Does `kind` (`attack` on the target, or `defend`) if it may be done now; the answer is that of `can`. */
  act(kind) {
    const may = this.can(kind);
    if (may.ok) {
      const id = this.#nextId++;
      const action = { id, kind, to: kind === "attack" ? this.target : undefined, sentAt: this.#now() };
      this.#pending.set(id, action);
      this.#sendAction(action);
      this.#changed();
    }
    return may;
  }

  /** Makes the rival in `slot` the one that attacks go to. */
  aim(slot) {
    if (this.#strikable(slot) && slot !== this.target) {
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
      case "result":
        this.outcome = d;
        break;
      case "error":
        this.#tell("refused", { kind: "error", words: refusal(d.reason) });
        break;
    }
    this.#changed();
  }

  #joined({ s, slot, last_id: lastId }) {
    this.handle = s;
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
    if (events.some((event) => event.k === "hit" && event.by === this.slot)) {
      this.#attackReadyAt = delta.at + this.view.rules.attack_interval_ms;
    }
    this.#viewed(delta.at, at);
    this.#tell("events", { events, before, after: this.view });
  }

  /** What follows from every new view, of session time `time`, that came at local time `at`. */
  #viewed(time, at) {
    const { status, phase } = this.view.phase;
    this.#clock.observe(time, at, status === "initializing" || status === "active");
    this.seats = this.view.seats;
    for (const [id, action] of this.#pending) {
      if (action.q <= this.q) {
        this.#pending.delete(id);
      }
    }
    if (!this.#strikable(this.target)) {
      this.target = this.rivals.find((slot) => this.#strikable(slot)) ?? null;
    }
    if (phase !== "preparation") {
      this.#readyWanted = false;
    }
    if (phase === "cooldown" || phase === "finished") {
      this.#pending.clear();
      this.outcome ??= outcomeOf(this.view, this.q);
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
    if (action.kind === "attack" && reason === "cooldown" && retryMs) {
      this.#attackReadyAt = Math.max(this.#attackReadyAt, this.time + retryMs);
    }
    this.#tell("refused", { kind: action.kind, words: refusal(reason, retryMs) });
  }

  #measured(action, at) {
    this.#samples.push(at - action.sentAt);
    if (this.#samples.length > SAMPLES_MAX) {
      this.#samples.shift();
    }
  }

  #sendAction({ id, kind, to, q }) {
    if (q === undefined) {
      this.#send(say.action(this.handle, id, kind, to));
    }
  }

  #strikable(slot) {
    const participant = this.view?.participants[slot];
    return participant !== undefined && slot !== this.slot && participant.status !== "eliminated";
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
  const { winner, end } = view.phase;
  const standings = view.participants
    .map(({ player, score }, slot) => ({ slot, player, score }))
    .sort((a, b) => (b.slot === winner) - (a.slot === winner) || b.score - a.score);
  return { q, reason: end, winner, standings };
}
