// Walking: where the player wants to go, where that is by now, and what to claim of it. The server decides: what it does
// not accept is taken back. Local time in milliseconds, lengths in centimetres. No DOM.

import { distance, walked } from "./geometry.js";

/** A claim every so often: often enough to look smooth, and well below what a session takes of each of ten players. */
const CLAIM_EVERY_MS = 110;
/** Claims remembered, to tell one's own steps from being moved. */
const CLAIMS_MAX = 64;
const ARRIVED_CM = 12;
/** What the page's clock may be ahead of the server's without a claim being refused. */
const SPEED_SHARE = 0.97;

export class Walk {
  #steer = { x: 0, y: 0 };
  #goal = null;
  #claims = [];
  #claimed = null;
  #claimedAt = -Infinity;
  #steppedAt = null;
  /** How much of its speed the player has: less when the server says that it was too fast. */
  #share = 1;

  /** Where the player is, with the steps that are still on their way; `null` before the first view. */
  at = null;

  /** Forgets everything. */
  reset() {
    this.#steer = { x: 0, y: 0 };
    this.#goal = null;
    this.#claims = [];
    this.#claimed = null;
    this.#claimedAt = -Infinity;
    this.#steppedAt = null;
    this.#share = 1;
    this.at = null;
  }

  /** Goes this way until told otherwise; `0, 0` stops. */
  steer(x, y) {
    this.#steer = { x, y };
    if (x !== 0 || y !== 0) {
      this.#goal = null;
    }
  }

  /** Whether it is steered one way. */
  get steers() {
    return this.#steer.x !== 0 || this.#steer.y !== 0;
  }

  /** Goes to this place. */
  goTo(place) {
    this.#goal = place;
  }

  /** Where it is going, if it goes to a place. */
  get goal() {
    return this.#goal;
  }

  /** Stays where it is. */
  stop() {
    this.#steer = { x: 0, y: 0 };
    this.#goal = null;
  }

  /** The server has the player at `place`: where that is none of the player's own steps, it was moved. */
  placed(place) {
    const own = this.#claims.findIndex((claim) => claim.x === place.x && claim.y === place.y);
    if (own >= 0 && this.at !== null) {
      this.#claims.splice(0, own);
      this.#share = Math.min(1, this.#share + 0.02);
    } else {
      this.#back(place);
    }
  }

  /** The server has refused a step, and has the player at `place`. */
  refused(reason, place) {
    if (reason === "too_fast") {
      this.#share = Math.max(0.3, this.#share * 0.8);
    } else {
      this.stop();
    }
    this.#back(place);
  }

  /** Moves on to local time `now` and answers with the place to claim, if there is one. */
  step(now, { speed, field, walls, may }) {
    const seconds = Math.min(0.1, (now - (this.#steppedAt ?? now)) / 1000);
    this.#steppedAt = now;
    if (this.at === null) {
      return null;
    }
    if (!may) {
      this.#goal = null;
      return null;
    }
    const far = speed * SPEED_SHARE * this.#share * seconds;
    const [dx, dy] = this.#way(far);
    if (dx !== 0 || dy !== 0) {
      const before = this.at;
      this.at = walked(before, dx, dy, field, walls);
      if (this.#goal && distance(before, this.at) < far / 20) {
        this.#goal = null;
      }
    }
    return this.#claim(now);
  }

  #way(far) {
    const { x, y } = this.#steer;
    if (x !== 0 || y !== 0) {
      const long = Math.hypot(x, y);
      return [(x / long) * far, (y / long) * far];
    }
    if (this.#goal === null) {
      return [0, 0];
    }
    const left = distance(this.#goal, this.at);
    if (left <= ARRIVED_CM) {
      this.#goal = null;
      return [0, 0];
    }
    const share = Math.min(1, far / left);
    return [(this.#goal.x - this.at.x) * share, (this.#goal.y - this.at.y) * share];
  }

  #claim(now) {
    const place = { x: Math.round(this.at.x), y: Math.round(this.at.y) };
    const moved = place.x !== this.#claimed?.x || place.y !== this.#claimed?.y;
    if (!moved || now - this.#claimedAt < CLAIM_EVERY_MS) {
      return null;
    }
    this.#claimed = place;
    this.#claimedAt = now;
    this.#claims.push(place);
    if (this.#claims.length > CLAIMS_MAX) {
      this.#claims.shift();
    }
    return place;
  }

  #back(place) {
    this.at = { x: place.x, y: place.y };
    this.#claimed = { x: place.x, y: place.y };
    this.#claims = [];
  }
}
