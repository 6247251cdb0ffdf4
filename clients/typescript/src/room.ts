// A custom session as one of its members has it: its state, which any of them may change, what they say to each other, and who
// is there.

import type { Connection } from "./connection.js";
import { Membership, type MembershipEvents } from "./membership.js";
import { merged } from "./merge.js";
import { Requests, type Reply } from "./requests.js";
import type { ClientMessage, JoinedCustom, Json, MissedRelays, Presence, Relayed, ServerMessage, StateChange } from "./wire.js";

export interface RoomEvents extends MembershipEvents {
  joined: JoinedCustom;
  /** The state was `before` it. */
  state: StateChange & { before: Json };
  relayed: Relayed;
  presence: Presence;
  /** What members said while this one was slow or away, by its numbers: it does not come again. */
  missed: MissedRelays;
}

export class Room extends Membership<RoomEvents> {
  protected override readonly type = "custom";
  readonly #requests = new Requests();

  /** The whole state, and which of its versions that is. */
  state: Json = null;
  version = 0;
  /** Who belongs to it, and who of them is connected. */
  members: string[] = [];
  here: string[] = [];

  /** Joins the custom session `session` over `connection`. */
  constructor(session: string, connection: Connection) {
    super(session, connection);
    this.enter();
  }

  /**
   * Changes the state by a JSON merge patch: what is named gets this value, what is `null` is removed, all else stays. With
   * `expected` only where the state still has that version; else it is refused as `version_conflict`, with the newest.
   */
  patch(merge: Json, expected?: number): Promise<Reply<{ version: number }>> {
    return this.#ask((s, id) => ({ t: "patch", d: { s, id, merge, ...(expected !== undefined && { if: expected }) } }));
  }

  /** Says something to all other members who are there, or to one. It is not kept. */
  relay(data: Json, to?: string): Promise<Reply<{ to: number }>> {
    return this.#ask((s, id) => ({ t: "relay", d: { s, id, data, ...(to !== undefined && { to }) } }));
  }

  #ask<Told>(message: (s: number, id: number) => ClientMessage): Promise<Reply<Told>> {
    const { handle } = this;
    return this.#requests.ask((id) => handle !== null && this.connection.send(message(handle, id)));
  }

  protected override joining(): ClientMessage {
    return { t: "join", d: { session: this.session } };
  }

  protected override receive(message: ServerMessage): void {
    switch (message.t) {
      case "joined":
        return message.d.type === "custom" ? this.#joined(message.d) : undefined;
      case "state":
        return this.#changed(message.d);
      case "relayed":
        return this.emit("relayed", message.d);
      case "presence":
        return this.#moved(message.d);
      case "missed":
        return this.emit("missed", message.d);
      case "ack":
        this.#requests.done(message.d);
        return;
      case "refused":
        this.#requests.refused(message.d);
        return;
    }
  }

  protected override lost(): void {
    if (this.#requests.end()) {
      this.holds();
    }
  }

  protected override ended(): void {}

  #joined(joined: JoinedCustom): void {
    this.state = joined.state;
    this.version = joined.version;
    this.members = joined.members;
    this.here = joined.here;
    this.stands(true);
    this.emit("joined", joined);
  }

  /** Takes the next change, or the whole state in place of several; one that is older than what is here says nothing new. */
  #changed(change: StateChange): void {
    if (!this.current || change.version <= this.version) {
      return;
    }
    if (change.state === undefined && change.version !== this.version + 1) {
      // One is missing: `joined` has the whole again.
      this.stands(false);
      return this.joinAgain();
    }
    const before = this.state;
    if (change.state !== undefined) {
      this.state = change.state;
    } else if (change.merge !== undefined) {
      this.state = merged(before, change.merge);
    }
    this.version = change.version;
    this.members = change.members ?? this.members;
    this.here = change.here ?? this.here;
    this.emit("state", { ...change, before });
  }

  #moved(presence: Presence): void {
    const { player, why } = presence;
    const others = this.here.filter((one) => one !== player);
    this.here = why === "lost" || why === "left" ? others : [...others, player];
    this.emit("presence", presence);
  }
}
