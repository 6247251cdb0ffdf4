// A session that the player is in, of whatever type: joins it, joins again after a loss, and says where it is. What the messages
// mean is the type's own affair.

import { ENDED, REPLACED } from "./closing.js";
import type { Connection, Member } from "./connection.js";
import { Emitter } from "./emitter.js";
import type { ClientMessage, JoinedAny, Left, Notice, ServerMessage } from "./wire.js";

/** A session is joined again over the same connection at most this often. */
const AGAIN_MS = 1_000;
/** Why one is out of a session for good, as the close codes that say the same. */
const OUT_FOR_GOOD: ReadonlyMap<string, number> = new Map([
  ["asked", 1000],
  ["replaced", REPLACED],
  ["removed", 4403],
]);

/** `live`: what is here is the server's. `waiting`: for the next try to connect. `closed`: for good. */
export type Status = "connecting" | "joining" | "live" | "waiting" | "closed";

/** Why a session is closed: a code of the connection, or the one that says the same, and words for a person. */
export interface Closing {
  code: number;
  why: string;
}

/** What a session of any type tells. */
export interface MembershipEvents {
  status: Status;
  left: Left;
  error: Notice;
  renewed: { left_ms: number };
  closed: Closing;
}

export abstract class Membership<Events extends MembershipEvents> {
  readonly session: string;
  readonly connection: Connection;
  protected abstract readonly type: NonNullable<JoinedAny["type"]>;
  readonly #member: Member;
  readonly #events = new Emitter<Events>();
  #handle: number | null = null;
  #current = false;
  #status: Status = "connecting";
  #closing: Closing | null = null;
  #joinedAt = -Infinity;
  /** What is told when the answers that are given now have been heard. */
  #held: (() => void)[] | null = null;

  constructor(session: string, connection: Connection) {
    this.session = session;
    this.connection = connection;
    this.#member = {
      session,
      current: () => this.#current,
      join: () => this.joining(),
      receive: (message, now) => this.#receive(message, now),
      linked: () => this.#linked(),
      closed: (code, why) => this.#shut({ code, why }),
      notice: (notice) => this.noticed(notice),
      renewed: (leftMs) => this.#tell("renewed", { left_ms: leftMs }),
    };
  }

  /** Calls `listener` with every `name` from now on, until what this returns is called. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  get status(): Status {
    return this.#status;
  }

  /** Why it is closed, once it is. */
  get closing(): Closing | null {
    return this.#closing;
  }

  /** Stops receiving the session; what the player has in it is kept. */
  leave(): void {
    if (this.#handle !== null) {
      this.connection.send({ t: "leave", d: { s: this.#handle } });
    }
  }

  /** Leaves, and closes the connection if it is in no other session. */
  close(): void {
    if (this.#closing === null) {
      if (this.connection.state.name === "open") {
        this.leave();
      }
      this.connection.remove(this.#member);
      this.#shut({ code: 1000, why: "the client closed the connection" });
    }
  }

  /** Joins again what was closed. */
  reopen(): void {
    if (this.#closing !== null) {
      this.#closing = null;
      this.enter();
    }
  }

  /** What it says to join. */
  protected abstract joining(): ClientMessage;

  /** Takes a message of the session. After `joined` it says by `stands` whether it has what the server has. */
  protected abstract receive(message: ServerMessage, now: number): void;

  /** Out of the session, perhaps for a while: what was sent may not have arrived. */
  protected abstract lost(): void;

  /** Closed: no answer can come any more. */
  protected abstract ended(): void;

  /** An `error` that is not known to be another session's. */
  protected noticed(notice: Notice): void {
    this.#tell("error", notice);
  }

  /** The session's handle while it is joined. */
  protected get handle(): number | null {
    return this.#handle;
  }

  protected get current(): boolean {
    return this.#current;
  }

  /** Joins; for when all that may be called is there. */
  protected enter(): void {
    this.connection.add(this.#member);
    this.#stand();
  }

  /** What is here is the server's, or is not any more. */
  protected stands(current: boolean): void {
    this.#current = current;
    this.#stand();
  }

  /** Joins again over the same connection, as soon as that may be asked. */
  protected joinAgain(): void {
    const passed = this.connection.env.now() - this.#joinedAt;
    this.connection.rejoin(this.#member, Math.max(0, AGAIN_MS - passed));
  }

  /** Answers have been given, by promises: what is told from here on waits until who awaits them has heard. */
  protected holds(): void {
    if (this.#held === null) {
      const held: (() => void)[] = (this.#held = []);
      queueMicrotask(() => {
        for (let tell = held.shift(); tell !== undefined; tell = held.shift()) tell();
        this.#held = null;
      });
    }
  }

  protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    const tell = () => this.#events.emit(name, value);
    if (this.#held === null) {
      tell();
    } else {
      this.#held.push(tell);
    }
  }

  /** What sessions of all types tell alike. */
  #tell<Name extends keyof MembershipEvents>(name: Name, value: MembershipEvents[Name]): void {
    this.emit(name, value as Events[Name]);
  }

  #receive(message: ServerMessage, now: number): void {
    if (message.t === "left") {
      return this.#left(message.d);
    }
    if (message.t === "joined") {
      if ((message.d.type ?? "combat") !== this.type) {
        this.noticed({ reason: "wrong_type", message: `the session is no ${this.type} session` });
        return this.close();
      }
      this.#handle = message.d.s;
      this.#joinedAt = now;
      this.#current = false;
    }
    this.receive(message, now);
  }

  #linked(): void {
    if (this.connection.state.name !== "open") {
      this.#out();
    }
    this.#stand();
  }

  #shut(closing: Closing): void {
    if (this.#closing !== null) {
      return;
    }
    this.#out();
    this.#closing = closing;
    this.#stand();
    this.ended();
    this.#tell("closed", closing);
  }

  #out(): void {
    this.#handle = null;
    this.#current = false;
    this.lost();
  }

  #stand(): void {
    const link = this.connection.state.name;
    const open = this.#current ? "live" : "joining";
    const status = this.#closing !== null ? "closed" : link === "open" ? open : link;
    if (status !== this.#status) {
      this.#status = status;
      this.#tell("status", status);
    }
  }

  #left(left: Left): void {
    this.#out();
    this.#tell("left", left);
    this.connection.expelled(this.#member, left.why === "moved" ? null : (OUT_FOR_GOOD.get(left.why) ?? ENDED));
    this.#stand();
  }
}
