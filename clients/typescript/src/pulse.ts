// A player session: the player's presence, which ends by itself unless somebody says often enough that the player is there.

import type { Connection } from "./connection.js";
import { Timer } from "./env.js";
import { Membership, type MembershipEvents } from "./membership.js";
import { Requests, type Reply } from "./requests.js";
import type { ClientMessage, JoinedPlayer, ServerMessage } from "./wire.js";

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
  async beat(): Promise<Reply<{ expires_at: number }>> {
    const { handle } = this;
    const ask = (id: number) => handle !== null && this.connection.send({ t: "beat", d: { s: handle, id } });
    const reply = await this.#requests.ask<{ expires_at: number }>(ask);
    if (reply.kind === "ack") {
      this.#lasts(reply.expires_at);
    } else if (reply.kind === "refused" && reply.retryMs !== undefined) {
      this.#next(reply.retryMs);
    }
    return reply;
  }

  protected override joining(): ClientMessage {
    return { t: "join", d: { session: this.session } };
  }

  protected override receive(message: ServerMessage): void {
    switch (message.t) {
      case "joined":
        return message.d.type === "player" ? this.#joined(message.d) : undefined;
      case "ack":
        return this.#requests.done(message.d);
      case "refused":
        return this.#requests.refused(message.d);
    }
  }

  protected override lost(): void {
    this.#timer.stop();
    this.#requests.end();
  }

  protected override ended(): void {}

  #joined(joined: JoinedPlayer): void {
    this.stands(true);
    this.emit("joined", joined);
    this.#lasts(joined.expires_at);
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
