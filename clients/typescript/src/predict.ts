// Where the player itself is drawn: where it said it went, as long as the server has neither shown nor refused that. What the
// server has applied is told by the id that comes with every state.

import type { Place } from "./wire.js";

export class Predictor {
  #claims: ({ id: number } & Place)[] = [];

  /** The move `id` says that the player is at `place`. */
  claim(id: number, place: Place): void {
    this.#claims.push({ id, x: place.x, y: place.y });
  }

  /** The state that is shown has everything up to `id`. */
  applied(id: number): void {
    this.#claims = this.#claims.filter((claim) => claim.id > id);
  }

  /** The move `id` did not happen. */
  refused(id: number): void {
    this.#claims = this.#claims.filter((claim) => claim.id !== id);
  }

  /** Forgets all that is not shown. */
  reset(): void {
    this.#claims = [];
  }

  /** Where the player is, the server having it at `shown`. */
  place(shown: Place): Place {
    const { x, y } = this.#claims.at(-1) ?? shown;
    return { x, y };
  }
}
