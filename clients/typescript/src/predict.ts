// Where the player itself is drawn: where it said it went, as long as the server has neither shown nor refused that. What the
// server has applied is told by the id that comes with every state.

import type { Pose } from "./interpolate.js";

export class Predictor {
  #claims: ({ id: number } & Pose)[] = [];

  /** The move `id` says that the player is at `place`. */
  claim(id: number, place: Pose): void {
    this.#claims.push({ ...place, id });
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

  /** Where the player is and looks, the server having it at `shown`. */
  place(shown: Pose): Pose {
    const { x, y } = this.#claims.at(-1) ?? shown;
    // A move that says nothing of it leaves the player looking where it looked.
    const f = this.#claims.findLast((claim) => claim.f !== undefined)?.f ?? shown.f;
    return { x, y, ...(f !== undefined && { f }) };
  }
}
