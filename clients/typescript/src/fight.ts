// A session as its player has it: the view with its sequence, what may be done in it, and everything that happens told as
// events. It joins, resumes and joins again by itself; whoever uses it need not know when.

import { Actions, neverSent, type Action } from "./actions.js";
import { ENDED, REPLACED } from "./closing.js";
import { Connection, type ConnectionOptions, type Member } from "./connection.js";
import { Emitter } from "./emitter.js";
import { digest } from "./digest.js";
import { Interpolator } from "./interpolate.js";
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
  Left,
  Missed,
  Notice,
  Order,
  Participant,
  Place,
  Refused,
  Result,
  Rules,
  ServerMessage,
  Snapshot,
  Timers,
  View,
} from "./wire.js";

/** A view that has drifted is asked for again, at most this often. */
const AGAIN_MS = 1_000;
/** How far in the past the others are drawn: two places of theirs should be known there. */
const DRAWN_MS = 150;

/** `live`: the view is the server's. `waiting`: for the next try to connect. `closed`: for good. */
export type Status = "connecting" | "joining" | "live" | "waiting" | "closed";

export interface FightEvents {
  status: Status;
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
  left: Left;
  error: Notice;
  renewed: { left_ms: number };
  closed: { code: number; why: string };
}

export class Fight extends Orders {
  readonly session: string;
  readonly connection: Connection;
  readonly #member: Member;
  readonly #actions = new Actions();
  readonly #events = new Emitter<FightEvents>();
  readonly #clock: SessionClock;
  readonly #others = new Interpolator();
  readonly #own = new Predictor();
  #handle: number | null = null;
  #view: View | null = null;
  #current = false;
  #status: Status = "connecting";
  #closed: { code: number; why: string } | null = null;
  #joinedAt = -Infinity;
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
    super();
    this.session = session;
    this.connection = connection;
    this.#clock = new SessionClock(connection.clock);
    ({ promise: this.#over, resolve: this.#end } = promised<Result | null>());
    this.#member = {
      session,
      current: () => this.#current,
      join: () => this.#join(),
      receive: (message, now) => this.#receive(message, now),
      linked: () => this.#linked(),
      closed: (code, why) => this.#shut(code, why),
      notice: (notice) => this.#events.emit(notice.reason === "rolled_back" ? "rolled_back" : "error", notice),
      renewed: (leftMs) => this.#events.emit("renewed", { left_ms: leftMs }),
    };
    connection.add(this.#member);
  }

  /** Calls `listener` with every `name` from now on, until what this returns is called. */
  on<Name extends keyof FightEvents>(name: Name, listener: (value: FightEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  get status(): Status {
    return this.#status;
  }

  /** The result, or `null` where the session is closed without one. */
  get over(): Promise<Result | null> {
    return this.#over;
  }

  /** Why it is closed, once it is. */
  get closing(): { code: number; why: string } | null {
    return this.#closed;
  }

  get view(): View | null {
    return this.#view;
  }

  get me(): Participant | null {
    return this.#view?.participants[this.slot] ?? null;
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
  place(slot: number, at = this.now() - DRAWN_MS): Place | null {
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

  /** Stops receiving the session; the seat is kept for a while. */
  leave(): void {
    this.#say("leave");
  }

  /** Leaves, and closes the connection if it is in no other session. */
  close(): void {
    if (this.#closed === null) {
      if (this.connection.state.name === "open") {
        this.leave();
      }
      this.connection.remove(this.#member);
      this.#shut(1000, "the client closed the connection");
    }
  }

  /** Joins again what was closed. */
  reopen(): void {
    if (this.#closed !== null) {
      this.#closed = null;
      ({ promise: this.#over, resolve: this.#end } = promised<Result | null>());
      this.connection.add(this.#member);
    }
  }

  /**
   * Does what is ordered, exactly once: where the connection is lost before there is an answer it is sent again on the next one.
   * What cannot be sent at all is refused at once, with `offline` or `window_full`.
   */
  override act(order: Order): Action {
    const action = this.#status === "live" ? this.#actions.begin(order) : "offline";
    if (typeof action === "string") {
      return neverSent(order, action);
    }
    this.#send(action);
    return action;
  }

  /** Sends an action again that was refused with `retry_ms`, under the same id. Says whether it could. */
  again(action: Action): boolean {
    if (this.#status !== "live" || !this.#actions.again(action)) {
      return false;
    }
    this.#send(action);
    return true;
  }

  #send({ id, order }: Action): void {
    if (order.kind === "move" && order.x !== undefined && order.y !== undefined) {
      this.#own.claim(id, { x: order.x, y: order.y });
    }
    this.#repeat(id, order);
  }

  #repeat(id: number, order: Order): void {
    if (this.#handle !== null) {
      this.connection.send({ t: "action", d: { s: this.#handle, id, ...order } });
    }
  }

  #say(t: "ready" | "leave" | "concede"): void {
    if (this.#handle !== null) {
      this.connection.send({ t, d: { s: this.#handle } });
    }
  }

  #sayReady(): void {
    if (this.#readyWanted && this.#current && this.#view?.phase.phase === "preparation" && this.me?.ready === false) {
      this.#say("ready");
    }
  }

  #join(): ClientMessage {
    const { session, seq, epoch, rules } = this;
    const known = { ...(seq !== undefined && { seq }), ...(epoch !== undefined && { epoch }), ...(rules && { rules: rules.hash }) };
    return { t: "join", d: { session, ...known } };
  }

  #receive(message: ServerMessage, now: number): void {
    switch (message.t) {
      case "joined":
        return this.#joined(message.d, now);
      case "snapshot":
        return this.#snapshot(message.d);
      case "delta":
        return this.#delta(message.d);
      case "ack":
        return this.#actions.ack(message.d) ? this.#events.emit("ack", message.d) : undefined;
      case "refused":
        return this.#refused(message.d);
      case "forgotten":
        return this.#forgotten(message.d);
      case "result":
        this.outcome = message.d;
        this.#end(message.d);
        return this.#events.emit("result", message.d);
      case "left":
        return this.#left(message.d);
      case "pong":
        return message.d.at === undefined ? undefined : this.#clock.set({ at: message.d.at, time: message.d.time });
    }
  }

  #linked(): void {
    if (this.connection.state.name !== "open") {
      this.#out();
    }
    this.#stand();
  }

  #shut(code: number, why: string): void {
    if (this.#closed !== null) {
      return;
    }
    this.#out();
    this.#closed = { code, why };
    this.#stand();
    this.#actions.end();
    this.#own.reset();
    this.#end(this.outcome);
    this.#events.emit("closed", this.#closed);
  }

  /** Out of the session: what was sent may not have arrived. */
  #out(): void {
    this.#handle = null;
    this.#current = false;
    this.#unsure = true;
  }

  #stand(): void {
    const link = this.connection.state.name;
    const open = this.#current ? "live" : "joining";
    const status = this.#closed !== null ? "closed" : link === "open" ? open : link;
    if (status !== this.#status) {
      this.#status = status;
      this.#events.emit("status", status);
    }
  }

  #joined(joined: Joined, now: number): void {
    this.#handle = joined.s;
    this.#joinedAt = now;
    this.#current = false;
    this.slot = joined.slot;
    this.team = joined.team;
    this.rules = joined.rules ?? this.rules;
    this.timers = joined.timers ?? this.timers;
    this.epoch = joined.epoch;
    this.#actions.joined(joined.last_id);
    this.#clock.set(joined);
    this.#stand();
    this.#events.emit("joined", joined);
    if (this.#unsure) {
      this.#unsure = false;
      this.#actions.pending.forEach(({ id, order }) => this.#repeat(id, order));
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
    this.#current = true;
    this.#stand();
    if (snapshot.missed) {
      this.#events.emit("missed", snapshot.missed);
    }
    this.#events.emit("snapshot", snapshot);
    this.#sayReady();
  }

  #delta(delta: Delta): void {
    const before = this.#view;
    if (!this.#current || before === null || this.seq === undefined) {
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
    this.#events.emit("delta", { ...delta, before });
    delta.ev?.forEach((event) => this.#events.emit("event", event));
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
      this.#events.emit("refused", refused);
    } else {
      this.#own.refused(refused.id);
      if (this.#actions.refused(refused)) {
        this.#events.emit("refused", refused);
      }
    }
  }

  #forgotten(forgotten: Forgotten): void {
    if (forgotten.applied === false) {
      this.#own.refused(forgotten.id);
    }
    if (this.#actions.forgotten(forgotten)) {
      this.#events.emit("forgotten", forgotten);
    }
  }

  #left(left: Left): void {
    this.#out();
    this.#events.emit("left", left);
    const codes = new Map([
      ["asked", 1000],
      ["replaced", REPLACED],
    ]);
    this.connection.expelled(this.#member, left.why === "moved" ? null : (codes.get(left.why) ?? ENDED));
    this.#stand();
  }

  /** The view is not the server's any more: a new one is asked for. */
  #drifted(drift: Drift): void {
    this.#current = false;
    this.#stand();
    this.#events.emit("drift", drift);
    const passed = this.connection.env.now() - this.#joinedAt;
    this.connection.rejoin(this.#member, Math.max(0, AGAIN_MS - passed));
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
