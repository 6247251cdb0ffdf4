// Walking: where the player wants to go, where that is by now, and what to claim of it. The server decides: what it does
// not accept is taken back. What is claimed of a step says also which way one looks and how one goes on, for those who draw it. Local time in milliseconds, lengths in centimetres. No DOM.

import { distance, walked } from "./geometry.js";

/** A claim every so often: often enough to look smooth, and well below what a session takes of each of ten players. */
const CLAIM_EVERY_MS = 110;
const ARRIVED_CM = 12;
/** What the page's clock may be ahead of the server's without a claim being refused. */
const SPEED_SHARE = 0.97;
const STILL = { x: 0, y: 0 };

export class Walk {
  #steer = { x: 0, y: 0 };
  #goal = null;
  #claimed = null;
  #claimedAt = -Infinity;
  #steppedAt = null;
  /** Centimetres a second, as it is and as it was claimed. */
  #velocity = STILL;
  #claimedVelocity = STILL;
  /** How much of its speed the player has: less when the server says that it was too fast. */
  #share = 1;

  /** Where the player is, with the steps that are still on their way; `null` before the first view. */
  at = null;

  /** Forgets everything. */
  reset() {
    this.#steer = { x: 0, y: 0 };
    this.#goal = null;
    this.#claimed = null;
    this.#claimedAt = -Infinity;
    this.#steppedAt = null;
    this.#velocity = this.#claimedVelocity = STILL;
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

  /** The server has the player at `place`, with the steps done again that it has not answered: another place is where one was moved. */
  placed(place) {
    if (this.at === null || place.x !== this.#claimed.x || place.y !== this.#claimed.y) {
      this.#back(place);
    }
  }

  /** The server has taken a step. */
  accepted() {
    this.#share = Math.min(1, this.#share + 0.02);
  }

  /** The server has refused a step, and with the steps that it has not answered the player is at `place`. */
  refused(reason, place) {
    if (reason === "too_fast") {
      this.#share = Math.max(0.3, this.#share * 0.8);
    } else {
      this.stop();
    }
    this.placed(place);
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
      // Of who may not move the server says by itself that it does not.
      this.#velocity = this.#claimedVelocity = STILL;
      return null;
    }
    const far = speed * SPEED_SHARE * this.#share * seconds;
    const [dx, dy] = this.#way(far);
    const before = this.at;
    if (dx !== 0 || dy !== 0) {
      this.at = walked(before, dx, dy, field, walls);
      if (this.#goal && distance(before, this.at) < far / 20) {
        this.#goal = null;
      }
    }
    if (seconds > 0) {
      this.#velocity = { x: (this.at.x - before.x) / seconds, y: (this.at.y - before.y) / seconds };
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

  /** Where one is where that is another place than was claimed last, and that one has stopped. */
  #claim(now) {
    const place = { x: Math.round(this.at.x), y: Math.round(this.at.y) };
    const { x: vx, y: vy } = this.#velocity;
    const moved = place.x !== this.#claimed.x || place.y !== this.#claimed.y;
    const stopped = vx === 0 && vy === 0 && this.#claimedVelocity !== STILL;
    if (!(moved || stopped) || now - this.#claimedAt < CLAIM_EVERY_MS) {
      return null;
    }
    this.#claimed = place;
    this.#claimedAt = now;
    this.#claimedVelocity = vx === 0 && vy === 0 ? STILL : this.#velocity;
    return this.#claimedVelocity === STILL ? place : { ...place, f: (Math.atan2(vy, vx) * 180) / Math.PI, vx, vy };
  }

  #back(place) {
    this.at = { x: place.x, y: place.y };
    this.#claimed = { x: place.x, y: place.y };
  }
}
