// What the session's clock says. The server's messages carry session time; between two of them the clock runs on with
// the local one, and it stands still while the session is paused. No DOM.

/** A message that says less than this behind the estimate was on its way for long; more, and the clock was stopped. */
const LATE_MS = 1500;

export class SessionClock {
  #offset = 0;
  #stoppedAt = null;

  /** Takes `at` of a message that arrived at local time `now`; `running` says whether time passes after it. */
  observe(at, now, running) {
    const offset = at - now;
    const restart = this.#stoppedAt !== null || offset < this.#offset - LATE_MS;
    // The quickest message is the one that tells the time best.
    this.#offset = restart ? offset : Math.max(this.#offset, offset);
    this.#stoppedAt = running ? null : at;
  }

  /** Forgets all it has seen: the next message sets the clock. */
  reset() {
    this.#offset = -Infinity;
    this.#stoppedAt = null;
  }

  /** Session time in milliseconds at local time `now`. */
  at(now) {
    return this.#stoppedAt ?? (Number.isFinite(this.#offset) ? this.#offset + now : 0);
  }
}
