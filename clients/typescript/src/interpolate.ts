// Where the others are drawn: a little in the past, between two places that the server has told. A delta is sent for every
// sequence, so one that says nothing of a participant says that it has not moved.

import type { Delta, Place, View } from "./wire.js";

interface Mark extends Place {
  at: number;
}

const MARKS_MAX = 32;
/** Who has not been told of for longer than this was standing, and is drawn as starting this long before it arrived. */
const STEP_MS = 250;

export class Interpolator {
  #tracks: (Mark[] | null)[] = [];
  /** Session time of the state that is known best. */
  #known = 0;

  /** A whole view: everybody is where it says, and was nowhere before. */
  snapshot(view: View, at: number): void {
    this.#tracks = view.participants.map(({ hidden, x, y }) => (hidden ? null : [{ at, x, y }]));
    this.#known = at;
  }

  /** What a delta says of places; `view` is the one after it. */
  delta(delta: Delta, view: View): void {
    this.#tracks.length = Math.min(this.#tracks.length, delta.n ?? Infinity);
    for (const { i, player, hidden, x, y } of delta.p ?? []) {
      const who = view.participants[i];
      if (who === undefined || hidden) {
        this.#tracks[i] = null;
      } else if (player !== undefined) {
        this.#tracks[i] = who.hidden ? null : [{ at: delta.at, x: who.x, y: who.y }];
      } else if (x !== undefined || y !== undefined) {
        this.#step(i, { at: delta.at, x: who.x, y: who.y });
      }
    }
    this.#known = delta.at;
  }

  #step(slot: number, mark: Mark): void {
    const track = this.#tracks[slot] ?? [];
    const last = track.at(-1);
    if (last !== undefined) {
      const stood = Math.max(this.#known, mark.at - STEP_MS);
      if (stood > last.at && stood < mark.at) {
        track.push({ ...last, at: stood });
      }
    }
    track.push(mark);
    track.splice(0, track.length - MARKS_MAX);
    this.#tracks[slot] = track;
  }

  /** Where the participant in `slot` was at session time `at`; `null` where it was not seen. */
  place(slot: number, at: number): Place | null {
    const track = this.#tracks[slot];
    const next = track?.findIndex((mark) => mark.at > at) ?? -1;
    const [before, after] = next < 0 ? [track?.at(-1), undefined] : [track?.[next - 1], track?.[next]];
    if (before === undefined || after === undefined) {
      const only = before ?? after;
      return only ? { x: only.x, y: only.y } : null;
    }
    const share = (at - before.at) / (after.at - before.at);
    return { x: before.x + (after.x - before.x) * share, y: before.y + (after.y - before.y) * share };
  }
}
