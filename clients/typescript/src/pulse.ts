// A player session: the player's presence, which ends by itself unless somebody says often enough that the player is there.

import type { Connection } from "./connection.js";
import { Timer } from "./env.js";
import { Membership, type MembershipEvents } from "./membership.js";
import { Requests, type Reply } from "./requests.js";
import type { ClientMessage, Done, JoinedPlayer, Refused, ServerMessage } from "./wire.js";

/** No server needs to hear it more often. */
const LEAST_MS = 1_000;

export interface PulseEvents extends MembershipEvents {
  joined: JoinedPlayer;
  /** The presence lasts until then, in the server's Unix milliseconds, unless it hears another beat. */
  beat: { expiresAt: number };
}

/** Keeps a player session alive for as long as it is open, by a beat in each third of what is left of it. */
export class Pulse extends Membership<PulseEvents> {
  protected override readonly type = "player";
  readonly #requests = new Requests();
  readonly #timer: Timer;

  /** When the presence ends without another beat, in the server's Unix milliseconds; 0 until that is known. */
  expiresAt = 0;

  /** Joins the player session `session` over `connection`. */
  constructor(session: string, connection: Connection) {
    super(session, connection);
    this.#timer = new Timer(connection.env);
    this.enter();
  }

  /** Says now that the player is there. */
  beat(): Promise<Reply<{ expires_at: number }>> {
    const { handle } = this;
    return this.#requests.ask((id) => handle !== null && this.connection.send({ t: "beat", d: { s: handle, id } }));
  }

  protected override joining(): ClientMessage {
    return { t: "join", d: { session: this.session } };
  }

  protected override receive(message: ServerMessage): void {
    switch (message.t) {
      case "joined":
        return message.d.type === "player" ? this.#joined(message.d) : undefined;
      case "ack":
        return this.#acknowledged(message.d);
      case "refused":
        return this.#refused(message.d);
    }
  }

  protected override lost(): void {
    this.#timer.stop();
    if (this.#requests.end()) {
      this.holds();
    }
  }

  protected override ended(): void {}

  #joined(joined: JoinedPlayer): void {
    this.stands(true);
    this.emit("joined", joined);
    this.#lasts(joined.expires_at);
  }

  #acknowledged(ack: Done): void {
    if (this.#requests.done(ack)) {
      this.holds();
      this.#lasts(ack.expires_at ?? this.expiresAt);
    }
  }

  #refused(refused: Refused): void {
    if (this.#requests.refused(refused) && refused.retry_ms !== undefined) {
      this.#next(refused.retry_ms);
    }
  }

  #lasts(until: number): void {
    this.expiresAt = until;
    const now = this.connection.env.now() + (this.connection.clock.offset ?? 0);
    this.#next((this.expiresAt - now) / 3);
    this.emit("beat", { expiresAt: this.expiresAt });
  }

  #next(ms: number): void {
    if (this.handle !== null) {
      this.#timer.set(Math.max(LEAST_MS, ms), () => void this.beat());
    }
  }
}
