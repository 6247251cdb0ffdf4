// What a tab remembers across a reload: who the player is and which fight goes on. It lives in sessionStorage, so every
// tab is a player of its own. No DOM.

const PLAYER = "tiltyard.player";
const FIGHT = "tiltyard.fight";

/** How long a reloaded page waits for the lock of the page it replaces. */
const CLAIM_MAX_MS = 1500;

export class Store {
  #storage;
  #locks;

  constructor(storage = globalThis.sessionStorage, locks = globalThis.navigator?.locks) {
    this.#storage = storage;
    this.#locks = locks;
  }

  /** `{token, player_id, guest}` of this tab's player, if it has one. */
  get player() {
    return this.#read(PLAYER);
  }

  set player(player) {
    this.#write(PLAYER, player);
  }

  /** `{session_id, kind, seats}` of the fight this tab is in, if it is in one. */
  get fight() {
    return this.#read(FIGHT);
  }

  set fight(fight) {
    this.#write(FIGHT, fight);
  }

  /**
   * Claims this tab's player for this tab. A duplicated tab starts with a copy of its original's storage and would push
   * the original out of its fight: it is told apart by the lock that the original holds. Where the browser has no locks
   * (a page that is not served securely) every claim succeeds.
   */
  async claim() {
    const { player } = this;
    if (!player || !this.#locks) {
      return true;
    }
    return new Promise((resolve) => {
      const hold = () => {
        resolve(true);
        return new Promise(() => {});
      };
      const options = { signal: AbortSignal.timeout(CLAIM_MAX_MS) };
      this.#locks.request(`tiltyard.player.${player.player_id}`, options, hold).catch(() => resolve(false));
    });
  }

  #read(key) {
    try {
      return JSON.parse(this.#storage.getItem(key)) ?? null;
    } catch {
      return null;
    }
  }

  #write(key, value) {
    if (value) {
      this.#storage.setItem(key, JSON.stringify(value));
    } else {
      this.#storage.removeItem(key);
    }
  }
}
