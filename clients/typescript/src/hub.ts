// The few requests that a player makes before it has a socket: a guest's token, a seat, a ticket.

import type { ConnectionOptions, Door } from "./connection.js";
import { connect, type Fight } from "./fight.js";

const ANSWER_MAX_MS = 8_000;
/** The same where there is another node to ask. */
const ANSWER_MAX_MS_OF_ONE = 3_000;

/** A request that was refused; `status` is 0 where nothing answered. */
export class HubError extends Error {
  override readonly name = "HubError";

  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    readonly retryMs?: number,
  ) {
    super(message);
  }
}

export interface Guest {
  token: string;
  player_id: string;
  expires_at?: string;
}

export interface Seat extends Door {
  session_id: string;
  slot: number;
  seats: number;
}

export interface Wish {
  kind: string;
  ruleset?: string;
  difficulty?: string;
}

/** Rules that can be fought by, and in which kinds of fights. */
export interface Offer {
  name: string;
  title: string;
  kinds: string[];
}

export class Hub {
  readonly #bases: string[];
  #current = 0;

  /**
   * The server at `base`, for example `http://127.0.0.1:8080`; of a page it may be relative to the page. Of a cluster it may be several of
   * its nodes: where one cannot be reached, the next is asked, and from then on that one.
   */
  constructor(base: string | string[]) {
    this.#bases = [base].flat().map(bare);
    if (this.#bases.length === 0) {
      throw new Error("a hub is somewhere");
    }
  }

  /** The node that is asked at the moment. */
  get base(): string {
    return this.#bases[this.#current]!;
  }

  /** Asks where else clients reach the cluster, and knows those from then on, too. Alone it is nowhere else. */
  async discover(): Promise<string[]> {
    const { cluster } = await this.#ask<{ cluster?: { also_at?: string[] } }>("GET", "/health");
    const others = (cluster?.also_at ?? []).map(bare);
    this.#bases.push(...others.filter((url) => !this.#bases.includes(url)));
    return others;
  }

  /** A new guest, or the next token of the one whose token that is. */
  guest(token?: string): Promise<Guest> {
    return this.#ask("POST", "/guest", token, {});
  }

  /** By which rules it can be fought. */
  async offers(): Promise<Offer[]> {
    return (await this.#ask<{ rulesets: Offer[] }>("GET", "/rulesets")).rulesets;
  }

  /** A seat in the next fight of the arena. */
  seat(token: string, wish: Wish): Promise<Seat> {
    return this.#ask("POST", "/arena/seats", token, wish);
  }

  /** A ticket to a session that the token's player has a seat in. */
  ticket(token: string, session: string): Promise<Door> {
    return this.#ask("POST", `/sessions/${session}/tickets`, token);
  }

  /** Plays the seat, coming back with tickets of this player; a guest's token is renewed by itself. */
  play(guest: Guest, seat: Pick<Seat, "session_id" | "url">, options: Partial<ConnectionOptions> = {}): Fight {
    let { token } = guest;
    return connect({
      session: seat.session_id,
      url: seat.url,
      ticket: () => this.ticket(token, seat.session_id),
      token: async () => ({ token } = await this.guest(token)).token,
      ...options,
    });
  }

  /** Asks the current node and, where it cannot be reached, the others in turn. */
  async #ask<T>(method: string, path: string, token?: string, body?: object): Promise<T> {
    for (let more = this.#bases.length - 1; ; more--) {
      const asked = this.#current;
      try {
        return await this.#askAt<T>(this.base, method, path, token, body);
      } catch (error) {
        if (!(error instanceof HubError) || error.status !== 0 || this.#bases.length === 1) {
          throw error;
        }
        // Another request may have found out meanwhile.
        if (this.#current === asked) {
          this.#current = (asked + 1) % this.#bases.length;
        }
        if (more === 0) {
          throw error;
        }
      }
    }
  }

  async #askAt<T>(base: string, method: string, path: string, token?: string, body?: object): Promise<T> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (token !== undefined) {
      headers.authorization = `Bearer ${token}`;
    }
    if (body !== undefined) {
      headers["content-type"] = "application/json";
    }
    const signal = AbortSignal.timeout(this.#bases.length > 1 ? ANSWER_MAX_MS_OF_ONE : ANSWER_MAX_MS);
    const request: RequestInit = { method, headers, cache: "no-store", signal, ...(body && { body: JSON.stringify(body) }) };
    const response = await fetch(base + path, request).catch((error: unknown) => {
      // What really happened, such as a certificate that nobody vouches for, is below.
      const below = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
      throw new HubError(0, "unreachable", `${String(error)}${below}`);
    });
    const answer = (await response.json().catch(() => ({}))) as { message?: string; details?: { reason?: string } };
    if (!response.ok) {
      const seconds = Number(response.headers.get("retry-after") ?? 0);
      const reason = answer.details?.reason ?? "";
      throw new HubError(response.status, reason, answer.message ?? response.statusText, seconds > 0 ? seconds * 1_000 : undefined);
    }
    return answer as T;
  }
}

const bare = (url: string): string => url.replace(/\/+$/, "");
