// Where the player itself is drawn: where the server has it, and on from there by the steps that it has said and the server has neither
// shown nor refused. Steps and not places, as a place is only good from where it was said: who is thrown back or dashes on meanwhile goes on
// from there. What the server has applied is told by the id that comes with every state.

import type { Pose } from "./interpolate.js";
import type { Place } from "./wire.js";

interface Step {
  id: number;
  dx: number;
  dy: number;
  f?: number;
}

export class Predictor {
  #steps: Step[] = [];

  /** The move `id` says that the player is at `place`, the server having it at `shown`. */
  claim(id: number, place: Pose, shown: Place): void {
    const from = this.place(shown);
    const step = { id, dx: place.x - from.x, dy: place.y - from.y };
    this.#steps.push({ ...step, ...(place.f !== undefined && { f: place.f }) });
  }

  /** The state that is shown has everything up to `id`. */
  applied(id: number): void {
    this.#steps = this.#steps.filter((step) => step.id > id);
  }

  /** The move `id` did not happen. */
  refused(id: number): void {
    this.#steps = this.#steps.filter((step) => step.id !== id);
  }

  /** Forgets all that is not shown. */
  reset(): void {
    this.#steps = [];
  }

  /** Where the player is and looks, the server having it at `shown`. */
  place(shown: Pose): Pose {
    const x = this.#steps.reduce((x, step) => x + step.dx, shown.x);
    const y = this.#steps.reduce((y, step) => y + step.dy, shown.y);
    // A move that says nothing of it leaves the player looking where it looked.
    const f = this.#steps.findLast((step) => step.f !== undefined)?.f ?? shown.f;
    return { x, y, ...(f !== undefined && { f }) };
  }
}
