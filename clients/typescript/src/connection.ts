// One connection, and the way back after a loss: opens the socket with a fresh ticket, has its sessions join, hands in new
// credentials, and comes back by itself for as long as the close code allows.

import { LOST, JOIN_REFUSED, TICKET_REFUSED, closedBecause, comesBack } from "./closing.js";
import { json, unpack, type Codec } from "./codec.js";
import { Comeback } from "./comeback.js";
import { Timer, worldWith, type Env, type Socket } from "./env.js";
import { Heartbeat } from "./heartbeat.js";
import { Joins } from "./joins.js";
import { ServerClock } from "./time.js";
import type { ClientMessage, JoinedAny, Notice, ServerMessage } from "./wire.js";

const OPEN_MAX_MS = 10_000;
/** Where a `join` was too soon, and nothing says when it will not be. */
const RETRY_MS = 1_000;

/** Where to open a socket; `ticket` is what renews a connection that needs no new socket. */
export interface Door {
  url: string;
  ticket?: string;
}

/** What a `ticket` function may throw: with a `status` of HTTP, and how long to wait before the next try. */
export interface NoTicket {
  status?: number;
  retryMs?: number;
}

export interface ConnectionOptions {
  /** Gets a ticket: one for every connection, as it admits once, and one for every renewal. */
  ticket?: () => Promise<string | Door>;
  /** Where to open the first socket, where there is a ticket already. */
  url?: string;
  /**
   * Gets the player's new token when the one that the connection lives by is about to end; in place of another ticket. `null` where
   * there is none to be had: the connection then ends when the old one does.
   */
  token?: () => Promise<string | null>;
  /** JSON where this is absent. */
  codec?: Codec;
  /** How long to try to come back. */
  giveUpMs?: number;
  env?: Partial<Env>;
}

export type ConnectionState =
  | { name: "connecting" }
  | { name: "open" }
  | { name: "waiting"; waitMs: number; code: number; why: string }
  | { name: "closed"; code: number; why: string };

/** Messages that name a session by its handle. */
type OfSession = Exclude<ServerMessage, { t: "joined" | "error" | "expiring" | "renewed" }>;

/** A session of a connection, as the connection sees it. */
export interface Member {
  readonly session: string;
  /** Whether its view is the server's, so that it needs no `join`. */
  current(): boolean;
  /** What it says to join. */
  join(): ClientMessage;
  receive(message: ServerMessage, now: number): void;
  /** The connection's state is another one. */
  linked(): void;
  /** It is out of the session for good. */
  closed(code: number, why: string): void;
  /** An `error` that is not known to be another's. */
  notice(notice: Notice): void;
  renewed(leftMs: number): void;
}

export class Connection {
  readonly env: Env;
  readonly clock = new ServerClock();
  /** When the message that is being told of came, on the clock of `env.now`. */
  heardAt = -Infinity;
  readonly #options: ConnectionOptions;
  readonly #codec: Codec;
  readonly #comeback: Comeback;
  readonly #heartbeat: Heartbeat;
  readonly #joins: Joins;
  readonly #members = new Set<Member>();
  readonly #handles = new Map<number, Member>();
  readonly #dialing: Timer;
  readonly #renewal: Timer;
  #socket: Socket | null = null;
  #url: string | undefined;
  #dials = 0;
  #renewing = false;
  #state: ConnectionState = { name: "closed", code: 1000, why: closedBecause(1000) };

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#codec = options.codec ?? json;
    this.#url = options.url;
    this.env = worldWith(options.env);
    this.#dialing = new Timer(this.env);
    this.#renewal = new Timer(this.env);
    this.#comeback = new Comeback(this.env, options.giveUpMs);
    const lost = () => this.#lost(LOST);
    this.#heartbeat = new Heartbeat(this.env, this.clock, (n) => this.#ping(n), lost);
    this.#joins = new Joins(this.env, (member) => this.send(member.join()), lost);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Has `member` join, over the socket that there is or the next one. */
  add(member: Member): void {
    this.#members.add(member);
    if (this.#state.name === "closed") {
      this.#comeback.start();
      void this.#dial();
    } else if (this.#state.name === "open") {
      this.#joins.want(member);
    }
  }

  /** Has `member` join again over the same socket, after `ms`. */
  rejoin(member: Member, ms: number): void {
    if (this.#state.name === "open") {
      this.#joins.wantIn(ms, member);
    }
  }

  /** `member` was told that it is out of its session: for good, or to join it again. */
  expelled(member: Member, code: number | null): void {
    this.#forget(member);
    if (code === null) {
      this.#joins.want(member);
    } else {
      this.#drop(member, code);
    }
  }

  /** Lets `member` go; the last one closes the connection. */
  remove(member: Member): void {
    this.#members.delete(member);
    this.#forget(member);
    if (this.#members.size === 0) {
      this.#end(1000);
    }
  }

  /** Tries at once instead of waiting, for when there is reason to think that it will do now. */
  hasten(): void {
    if (this.#state.name === "waiting") {
      void this.#dial();
    }
  }

  /** Says `message` if there is a socket to say it on. */
  send(message: ClientMessage): boolean {
    if (this.#state.name !== "open" || this.#socket === null) {
      return false;
    }
    this.#socket.send(this.#codec.pack(message));
    return true;
  }

  async #dial(): Promise<void> {
    this.#hangUp();
    const dial = this.#dials;
    this.#become({ name: "connecting" });
    let url = this.#url;
    this.#url = undefined;
    if (url === undefined) {
      try {
        url = urlOf(await this.#door());
      } catch (error) {
        if (dial === this.#dials) {
          this.#noTicket((error ?? {}) as NoTicket);
        }
        return;
      }
      if (dial !== this.#dials) {
        return;
      }
    }
    const protocol = this.#codec.subprotocol;
    let socket: Socket;
    try {
      socket = this.env.socket(url, protocol);
    } catch (error) {
      this.#end(LOST, String(error));
      return;
    }
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => (socket.protocol === protocol ? this.#opened() : this.#lost(1002));
    socket.onmessage = ({ data, at }) => this.#received(data, at ?? this.env.now());
    socket.onclose = ({ code }) => this.#lost(code);
    socket.onerror = () => {};
    this.#dialing.set(OPEN_MAX_MS, () => this.#lost(LOST));
  }

  #door(): Promise<string | Door> {
    return this.#options.ticket?.() ?? Promise.reject(Object.assign(new Error("there is no way to get a ticket"), { status: 401 }));
  }

  #noTicket({ status, retryMs }: NoTicket): void {
    const code = TICKET_REFUSED.get(status ?? 0);
    if (code === undefined) {
      this.#wait(LOST, retryMs);
    } else {
      this.#end(code);
    }
  }

  #opened(): void {
    this.#dialing.stop();
    this.#comeback.opened();
    this.#become({ name: "open" });
    this.#members.forEach((member) => this.#joins.want(member));
  }

  #received(payload: unknown, now: number): void {
    this.heardAt = now;
    let message: ServerMessage;
    try {
      message = unpack(this.#codec, payload) as ServerMessage;
    } catch (error) {
      this.#tell({ reason: "bad_message", message: String(error) });
      return;
    }
    switch (message.t) {
      case "joined":
        this.#joined(message.d, now);
        break;
      case "error":
        this.#refused(message.d);
        break;
      case "expiring":
        void this.#renew();
        break;
      case "renewed":
        this.#renewing = false;
        this.#members.forEach((member) => member.renewed(message.d.left_ms));
        break;
      case "pong":
        this.#heartbeat.pong(message.d, now);
        this.#pass(message, now);
        break;
      case "left":
      case "state":
      case "relayed":
      case "presence":
      case "missed":
      case "snapshot":
      case "delta":
      case "ack":
      case "refused":
      case "forgotten":
      case "result":
        this.#pass(message, now);
        break;
    }
  }

  /**
   * Hands a message to the session that it names. What comes for one that was left is nobody's: an action that was refused as
   * `not_joined` while the session moved has no answer, and is sent again where it is joined.
   */
  #pass(message: OfSession, now: number): void {
    if ("time" in message.d) {
      this.clock.heard(now, message.d.time);
    }
    if (message.d.s !== undefined) {
      this.#handles.get(message.d.s)?.receive(message, now);
    }
  }

  #joined(joined: JoinedAny, now: number): void {
    const member = [...this.#members].find(({ session }) => session === joined.session);
    if (member !== undefined) {
      this.#handles.set(joined.s, member);
      this.#comeback.joined();
      this.clock.heard(now, joined.time);
      member.receive({ t: "joined", d: joined }, now);
      this.#heartbeat.start(joined.timers?.idle_ms);
      this.#joins.answered(member);
    }
  }

  #refused(notice: Notice): void {
    const member = this.#joining(notice);
    if (member !== undefined) {
      this.#joinRefused(member, notice);
      return;
    }
    if (this.#renewing && (notice.re ?? "renew") === "renew") {
      this.#renewing = false;
      if (notice.retry_ms !== undefined) {
        this.#renewal.set(notice.retry_ms, () => void this.#renew());
      }
    }
    const other = notice.s === undefined ? undefined : this.#handles.get(notice.s);
    if (other !== undefined) {
      other.notice(notice);
    } else {
      this.#tell(notice);
    }
  }

  /** Whose `join` it is that is refused, if it is one. A server that does not say so means the one that it has not answered. */
  #joining({ re = "join", session }: Notice): Member | undefined {
    const named = [...this.#members].find((member) => member.session === session);
    return re === "join" ? (named ?? (session === undefined ? this.#joins.asked : null) ?? undefined) : undefined;
  }

  #joinRefused(member: Member, notice: Notice): void {
    member.notice(notice);
    const code = JOIN_REFUSED.get(notice.reason);
    if (code !== undefined) {
      this.#drop(member, code);
    } else if (notice.retry_ms !== undefined || notice.reason === "already_joined") {
      this.#joins.wantIn(notice.retry_ms ?? RETRY_MS, member);
      this.#joins.answered(member);
    }
  }

  /** `member` is out for good; without any left there is no use in a connection. */
  #drop(member: Member, code: number): void {
    if (this.#members.size === 1) {
      this.#end(code);
    } else {
      this.#members.delete(member);
      this.#forget(member);
      member.closed(code, closedBecause(code));
    }
  }

  #forget(member: Member): void {
    for (const [handle, other] of this.#handles) {
      if (other === member) {
        this.#handles.delete(handle);
      }
    }
    this.#joins.forget(member);
  }

  /** Asks for the time of one session after the other. */
  #ping(n: number): void {
    const handles = [...this.#handles.keys()];
    const s = handles[n % handles.length];
    this.send({ t: "ping", d: { n, ...(s !== undefined && { s }) } });
  }

  /** Hands in new credentials on the connection that asks for them. Without any it ends when the old ones do. */
  async #renew(): Promise<void> {
    const socket = this.#socket;
    this.#renewing = true;
    try {
      const token = await this.#options.token?.();
      const d = token === undefined ? { ticket: ticketOf(await this.#door()) } : token === null ? null : { token };
      if (socket === this.#socket && d !== null) {
        this.send({ t: "renew", d });
      }
    } catch (error) {
      if (socket === this.#socket) {
        this.#renewing = false;
        this.#tell({ reason: "unauthorized", message: String(error) });
      }
    }
  }

  #tell(notice: Notice): void {
    this.#members.forEach((member) => member.notice(notice));
  }

  #lost(code: number): void {
    if (comesBack(code)) {
      this.#hangUp()?.close();
      this.#wait(code);
    } else {
      this.#end(code);
    }
  }

  #wait(code: number, leastMs = 0): void {
    const delay = this.#comeback.after(code);
    if (delay === null) {
      this.#end(code);
      return;
    }
    const waitMs = Math.max(leastMs, delay);
    this.#become({ name: "waiting", waitMs, code, why: closedBecause(code) });
    this.#dialing.set(waitMs, () => void this.#dial());
  }

  /** Closes for good, with everybody in it. */
  #end(code: number, why = closedBecause(code)): void {
    this.#hangUp()?.close(1000);
    const members = [...this.#members];
    this.#members.clear();
    this.#become({ name: "closed", code, why });
    members.forEach((member) => member.closed(code, why));
  }

  /** Lets go of the socket and of everything that was still to come of it. */
  #hangUp(): Socket | null {
    const socket = this.#socket;
    this.#socket = null;
    this.#dials += 1;
    this.#dialing.stop();
    this.#renewal.stop();
    this.#heartbeat.stop();
    this.#joins.clear();
    this.#handles.clear();
    this.#renewing = false;
    if (socket !== null) {
      socket.onopen = socket.onmessage = socket.onclose = null;
    }
    return socket;
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#members.forEach((member) => member.linked());
  }
}

const urlOf = (door: string | Door): string => (typeof door === "string" ? door : door.url);

function ticketOf(door: string | Door): string {
  const ticket = typeof door === "string" ? undefined : door.ticket;
  return ticket ?? new URL(urlOf(door)).searchParams.get("ticket") ?? "";
}
