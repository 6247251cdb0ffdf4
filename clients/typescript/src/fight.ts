// A session as its player has it: the view with its sequence, what may be done in it, and everything that happens told as
// events. It joins, resumes and joins again by itself; whoever uses it need not know when.

import { Actions, neverSent, type Action } from "./actions.js";
import { Connection, type ConnectionOptions } from "./connection.js";
import { digest } from "./digest.js";
import { Interpolator, type Pose } from "./interpolate.js";
import type { MembershipEvents } from "./membership.js";
import { Orders } from "./orders.js";
import { Predictor } from "./predict.js";
import { SessionClock } from "./time.js";
import { Drift, apply, viewOf } from "./view.js";
import type {
  Ack,
  ClientMessage,
  Delta,
  FightEvent,
  Forgotten,
  Joined,
  Missed,
  Notice,
  Order,
  Participant,
  Refused,
  Result,
  Rules,
  ServerMessage,
  Snapshot,
  Timers,
  View,
} from "./wire.js";

/** How far in the past the others are drawn: two places of theirs should be known there. */
const DRAWN_MS = 150;

export interface FightEvents extends MembershipEvents {
  joined: Joined;
  snapshot: Snapshot;
  /** The view was `before` it. */
  delta: Delta & { before: View };
  /** Each event of each delta, in order. */
  event: FightEvent;
  ack: Ack;
  refused: Refused;
  forgotten: Forgotten;
  missed: Missed;
  /** The server's log was set back: what was shown after the next snapshot's sequence has not happened. */
  rolled_back: Notice;
  drift: Drift;
  result: Result;
}

export class Fight extends Orders {
  protected override readonly type = "combat";
  readonly #actions = new Actions();
  readonly #clock: SessionClock;
  readonly #others = new Interpolator();
  readonly #own = new Predictor();
  #view: View | null = null;
  /** Whether the view was the server's at its sequence: one that had another digest is not to be gone on from. */
  #sound = true;
  /** Whether the server may not have what was sent: the connection is another one than it was sent on. */
  #unsure = false;
  #readyWanted = false;

  /** The sequence and session time of the view, and how often the session has changed hands. */
  seq: number | undefined;
  at = 0;
  epoch: number | undefined;
  slot = -1;
  team = -1;
  rules: Rules | null = null;
  timers: Partial<Timers> = {};
  /** The highest id of one's own action that the view shows. */
  applied = 0;
  outcome: Result | null = null;
  #over: Promise<Result | null>;
  #end: (result: Result | null) => void;

  constructor(session: string, connection: Connection) {
    super(session, connection);
    this.#clock = new SessionClock(connection.clock);
    ({ promise: this.#over, resolve: this.#end } = promised<Result | null>());
    this.enter();
  }

  /** The result, or `null` where the session is closed without one. */
  get over(): Promise<Result | null> {
    return this.#over;
  }

  get view(): View | null {
    return this.#view;
  }

  get me(): Participant | null {
    return this.#view?.participants[this.slot] ?? null;
  }

  /** How fast the player is now, in centimetres a second, with what effects and modifiers make of it; null where that is not known yet. */
  get speed(): number | null {
    const { me, rules, view } = this;
    if (me === null || rules === null || view === null) {
      return null;
    }
    const changed = (effect: number): number => rules.effects[effect]?.changes?.speed ?? 0;
    const own = me.effects.reduce((sum, [effect, stacks]) => sum + changed(effect) * stacks, 0);
    const percent = view.modifiers.reduce((sum, effect) => sum + changed(effect), own);
    return Math.floor((rules.speed_cm_per_s * Math.max(100 + percent, 0)) / 100);
  }

  /** The digest of the view, as the server would have it. */
  get digest(): number | null {
    return this.#view && digest(this.#view);
  }

  /** Actions that have no answer yet. */
  get pending(): Action[] {
    return this.#actions.pending;
  }

  /** Session time now, as well as it is known. */
  now(): number {
    return this.#clock.at(this.connection.env.now());
  }

  /**
   * Where to draw the participant in `slot`, which is `null` where it is not seen: oneself where one has gone already, the others
   * where they were a moment ago, or at session time `at`.
   */
  place(slot: number, at = this.now() - DRAWN_MS): Pose | null {
    const shown = this.#view?.participants[slot];
    if (shown === undefined || shown.hidden) {
      return null;
    }
    return slot === this.slot ? this.#own.place(shown) : this.#others.place(slot, at);
  }

  /** Says that the player is ready, now or as soon as that can be said. */
  ready(): void {
    this.#readyWanted = true;
    this.#sayReady();
  }

  /** Gives the seat up for good. */
  concede(): void {
    this.#say("concede");
  }

  override reopen(): void {
    if (this.closing !== null) {
      ({ promise: this.#over, resolve: this.#end } = promised<Result | null>());
      super.reopen();
    }
  }

  /**
   * Does what is ordered, exactly once: where the connection is lost before there is an answer it is sent again on the next one.
   * What cannot be sent at all is refused at once, with `offline` or `window_full`.
   */
  override act(order: Order): Action {
    const action = this.status === "live" ? this.#actions.begin(order) : "offline";
    if (typeof action === "string") {
      return neverSent(order, action);
    }
    this.#send(action);
    return action;
  }

  /** Sends an action again that was refused with `retry_ms`, under the same id. Says whether it could. */
  again(action: Action): boolean {
    if (this.status !== "live" || !this.#actions.again(action)) {
      return false;
    }
    this.#send(action);
    return true;
  }

  #send({ id, order }: Action): void {
    const shown = this.me;
    if (order.kind === "move" && order.x !== undefined && order.y !== undefined && shown !== null) {
      this.#own.claim(id, { x: order.x, y: order.y, ...(order.f !== undefined && { f: order.f }) }, shown);
    }
    this.#repeat(id, order);
  }

  #repeat(id: number, order: Order): void {
    if (this.handle !== null) {
      this.connection.send({ t: "action", d: { s: this.handle, id, ...order } });
    }
  }

  #say(t: "ready" | "concede"): void {
    if (this.handle !== null) {
      this.connection.send({ t, d: { s: this.handle } });
    }
  }

  #sayReady(): void {
    if (this.#readyWanted && this.current && this.#view?.phase.phase === "preparation" && this.me?.ready === false) {
      this.#say("ready");
    }
  }

  protected override joining(): ClientMessage {
    const { session, epoch, rules } = this;
    const seq = this.#sound ? this.seq : undefined;
    const known = { ...(seq !== undefined && { seq }), ...(epoch !== undefined && { epoch }), ...(rules && { rules: rules.hash }) };
    return { t: "join", d: { session, ...known } };
  }

  protected override receive(message: ServerMessage): void {
    switch (message.t) {
      case "joined":
        return message.d.type === "custom" || message.d.type === "player" ? undefined : this.#joined(message.d);
      case "snapshot":
        return this.#snapshot(message.d);
      case "delta":
        return this.#delta(message.d);
      case "ack":
        return "q" in message.d && this.#actions.ack(message.d) ? this.emit("ack", message.d) : undefined;
      case "refused":
        return this.#refused(message.d);
      case "forgotten":
        return this.#forgotten(message.d);
      case "result":
        this.outcome = message.d;
        this.#end(message.d);
        return this.emit("result", message.d);
      case "pong":
        return message.d.at === undefined ? undefined : this.#clock.set({ at: message.d.at, time: message.d.time });
    }
  }

  protected override noticed(notice: Notice): void {
    if (notice.reason === "rolled_back") {
      this.emit("rolled_back", notice);
    } else {
      super.noticed(notice);
    }
  }

  protected override lost(): void {
    this.#unsure = true;
  }

  protected override ended(): void {
    if (this.#actions.end()) {
      this.holds();
    }
    this.#own.reset();
    this.#end(this.outcome);
  }

  #joined(joined: Joined): void {
    this.slot = joined.slot;
    this.team = joined.team;
    this.rules = joined.rules ?? this.rules;
    this.timers = joined.timers ?? this.timers;
    this.epoch = joined.epoch;
    this.#actions.joined(joined.last_id);
    this.#clock.set(joined);
    this.stands(false);
    this.emit("joined", joined);
    if (this.#unsure) {
      this.#unsure = false;
      this.#actions.pending.forEach(({ id, order }) => this.#repeat(id, order));
    }
    // The view that is here is gone on from; else a snapshot comes.
    if (joined.resume === "deltas" && this.#sound && this.#view !== null) {
      this.stands(true);
      this.#sayReady();
    }
  }

  #snapshot(snapshot: Snapshot): void {
    try {
      this.#view = viewOf(snapshot);
    } catch (error) {
      return this.#drifted(error as Drift);
    }
    this.seq = snapshot.q;
    this.epoch = snapshot.epoch;
    this.#shows(snapshot);
    this.#others.snapshot(this.#view, snapshot.at);
    this.#sound = true;
    this.stands(true);
    if (snapshot.missed) {
      this.emit("missed", snapshot.missed);
    }
    this.emit("snapshot", snapshot);
    this.#sayReady();
  }

  #delta(delta: Delta): void {
    const before = this.#view;
    if (!this.current || before === null || this.seq === undefined) {
      return;
    }
    try {
      this.#view = apply(before, this.seq, delta);
    } catch (error) {
      return this.#drifted(error as Drift);
    }
    this.seq = delta.q;
    this.#others.delta(delta, this.#view);
    this.#shows(delta);
    this.emit("delta", { ...delta, before });
    delta.ev?.forEach((event) => this.emit("event", event));
  }

  /** Takes what snapshots and deltas alike say beside the view. */
  #shows({ at, time, id }: { at: number; time: number; id: number }): void {
    this.at = at;
    this.applied = id;
    this.#own.applied(id);
    this.#clock.set({ at, time }, this.#view?.phase.status !== "paused");
  }

  #refused(refused: Refused): void {
    if (refused.id === 0) {
      this.#readyWanted = false;
      this.emit("refused", refused);
    } else {
      this.#own.refused(refused.id);
      if (this.#actions.refused(refused)) {
        this.emit("refused", refused);
      }
    }
  }

  #forgotten(forgotten: Forgotten): void {
    if (forgotten.applied === false) {
      this.#own.refused(forgotten.id);
    }
    if (this.#actions.forgotten(forgotten)) {
      this.emit("forgotten", forgotten);
    }
  }

  /** The view is not the server's any more: a new one is asked for, or, after a gap, what is missing. */
  #drifted(drift: Drift): void {
    this.#sound &&= drift.kind === "gap";
    this.stands(false);
    this.emit("drift", drift);
    this.joinAgain();
  }
}

function promised<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

export interface FightOptions extends ConnectionOptions {
  /** The session's id. */
  session: string;
}

/** Connects and joins `session`; comes back by itself, and tells of everything by events. */
export function connect(options: FightOptions): Fight {
  return new Fight(options.session, new Connection(options));
}

/** Joins another session of the player over a connection that there is. */
export function joinToo(connection: Connection, session: string): Fight {
  return new Fight(session, connection);
}
