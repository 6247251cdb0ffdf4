// What the session's clock says. The server's messages carry session time; between two of them the clock runs on with
// the local one, and it stands still while the session is paused. No DOM.

export class SessionClock {
  #offset = -Infinity;
  #stoppedAt = null;

  /** Takes `at` of a message that arrived at local time `now`; `running` says whether time passes after it. */
  observe(at, now, running) {
    const offset = at - now;
    // The quickest message tells the time best, until the clock has stood still.
    this.#offset = this.#stoppedAt === null ? Math.max(this.#offset, offset) : offset;
    this.#stoppedAt = running ? null : at;
  }

  /** Forgets all it has seen: the next message sets the clock. */
  reset() {
    this.#offset = -Infinity;
    this.#stoppedAt = null;
  }

  /** Session time in milliseconds at local time `now`; 0 before the first message. */
  at(now) {
    return this.#stoppedAt ?? Math.max(0, this.#offset + now);
  }
}
