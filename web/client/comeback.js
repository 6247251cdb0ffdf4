// How long to wait before the next try to connect, and when to give up.
import { delayMs } from "./closing.js";
/** After a connection that lasted this long the delays start anew. */
const STABLE_MS = 5_000;
const GIVE_UP_MS = 180_000;
/** How long the server remembers whom it had to close with 4429. */
const FLOODS_MS = 600_000;
export class Comeback {
    env;
    giveUpMs;
    #attempt = 0;
    #floods = [];
    #openSince = null;
    #downSince = null;
    constructor(env, giveUpMs = GIVE_UP_MS) {
        this.env = env;
        this.giveUpMs = giveUpMs;
    }
    /** It is tried for the first time, or again because somebody asked for it. */
    start() {
        this.#attempt = 0;
        this.#downSince = this.env.now();
    }
    /** The socket is open. */
    opened() {
        this.#openSince = this.env.now();
    }
    /** A session was joined: the server is there. */
    joined() {
        this.#downSince = null;
    }
    /** How long to wait after a connection that ended with `code`; `null` where it has been tried for long enough. */
    after(code) {
        const now = this.env.now();
        if (this.#openSince !== null && now - this.#openSince > STABLE_MS) {
            this.#attempt = 0;
        }
        this.#openSince = null;
        this.#downSince ??= now;
        if (now - this.#downSince > this.giveUpMs) {
            return null;
        }
        const waitMs = delayMs(code, code === 4429 ? Math.max(this.#attempt, this.#flooded(now)) : this.#attempt, this.env.dice());
        this.#attempt += 1;
        return waitMs;
    }
    /** How often the server has closed with 4429 before this time; with each it waits for twice as long. */
    #flooded(now) {
        this.#floods = this.#floods.filter((at) => now - at < FLOODS_MS);
        return this.#floods.push(now) - 1;
    }
}
