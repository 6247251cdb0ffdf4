// Actions and their answers, exactly once: ids rise, what has no answer is sent again after a reconnect under the same id, and
// an answer that comes twice counts once.

import type { Ack, Forgotten, Order, Refused } from "./wire.js";

/** The server remembers the answers of a player's 64 highest ids: more at once could not be repeated. */
export const WINDOW = 64;
/** The highest id that both encodings carry as a whole number from here; the server takes one more. */
export const ID_MAX = Number.MAX_SAFE_INTEGER;

/**
 * How an action ended. `forgotten`: the server does not know its answer any more; `applied` is `false` where it certainly did not
 * happen. `unknown`: the session was closed before there was an answer.
 */
export type Answer =
  | { kind: "ack"; q: number }
  | { kind: "refused"; reason: string; message?: string; retryMs?: number; place?: { x: number; y: number }; allowedCm?: number }
  | { kind: "forgotten"; applied: false | undefined }
  | { kind: "unknown" };

/** An action that was asked for. `id` is 0 where it was refused without being sent. */
export interface Action {
  readonly id: number;
  readonly order: Readonly<Order>;
  /** Never rejects. */
  readonly answer: Promise<Answer>;
}

class Sent implements Action {
  answer!: Promise<Answer>;
  answered = false;
  #resolve!: (answer: Answer) => void;

  constructor(
    readonly id: number,
    readonly order: Readonly<Order>,
  ) {
    this.open();
  }

  open(): void {
    this.answered = false;
    this.answer = new Promise((resolve) => (this.#resolve = resolve));
  }

  close(answer: Answer): void {
    this.answered = true;
    this.#resolve(answer);
  }
}

export class Actions {
  #next = 1;
  #pending = new Map<number, Sent>();

  /** Sent and not answered, in order of their ids. */
  get pending(): Action[] {
    return [...this.#pending.values()].sort((one, other) => one.id - other.id);
  }

  /** The server knows ids up to `lastId`: the next one is higher. */
  joined(lastId: number): void {
    this.#next = Math.max(this.#next, lastId + 1);
  }

  /** A new action to send, or the reason why there cannot be one. */
  begin(order: Order): Action | string {
    if (this.#pending.size >= WINDOW) {
      return "window_full";
    }
    if (this.#next > ID_MAX) {
      return "bad_action_id";
    }
    const action = new Sent(this.#next++, { ...order });
    this.#pending.set(action.id, action);
    return action;
  }

  /** Takes up an action again that was refused for the moment, under its own id. */
  again(action: Action): boolean {
    if (!(action instanceof Sent) || !action.answered || this.#pending.size >= WINDOW) {
      return false;
    }
    action.open();
    this.#pending.set(action.id, action);
    return true;
  }

  /** Whether these were answered for the first time. */
  ack({ id, q }: Ack): boolean {
    return this.#close(id, { kind: "ack", q });
  }

  refused({ id, reason, message, retry_ms: retryMs, x, y, allowed_cm: allowedCm }: Refused): boolean {
    return this.#close(id, {
      kind: "refused",
      reason,
      ...(message !== undefined && { message }),
      ...(retryMs !== undefined && { retryMs }),
      ...(x !== undefined && y !== undefined && { place: { x, y } }),
      ...(allowedCm !== undefined && { allowedCm }),
    });
  }

  forgotten({ id, applied, last_id: lastId }: Forgotten): boolean {
    this.joined(lastId);
    return this.#close(id, { kind: "forgotten", applied: applied === false ? false : undefined });
  }

  /** No answer can come any more; says whether one was waited for. */
  end(): boolean {
    const ids = [...this.#pending.keys()];
    ids.forEach((id) => this.#close(id, { kind: "unknown" }));
    return ids.length > 0;
  }

  #close(id: number, answer: Answer): boolean {
    const action = this.#pending.get(id);
    this.#pending.delete(id);
    action?.close(answer);
    return action !== undefined;
  }
}

/** An action that was refused before it was sent. */
export function neverSent(order: Order, reason: string): Action {
  return { id: 0, order, answer: Promise.resolve({ kind: "refused", reason }) };
}
