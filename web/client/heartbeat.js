// Pings: they keep the connection, tell the time, and find out that nobody is there any more.
import { Timer } from "./env.js";
const EVERY_MS = 2_000;
/** The first ones come quickly, so that the time is known soon. */
const FIRST_MS = 300;
const FIRST = 5;
/** One that is not answered within this says that the connection is dead, whatever the socket says. */
const SILENCE_MAX_MS = 8_000;
export class Heartbeat {
    env;
    clock;
    ping;
    dead;
    #timer;
    #sent = new Map();
    #serial = 0;
    #count = 0;
    #everyMs = EVERY_MS;
    /** `ping` sends one with this number; `dead` is called when nobody answers. */
    constructor(env, clock, ping, dead) {
        this.env = env;
        this.clock = clock;
        this.ping = ping;
        this.dead = dead;
        this.#timer = new Timer(env);
    }
    /** Beats from now on, and often enough for a server that closes what it does not hear for `idleMs`. */
    start(idleMs = Infinity) {
        this.#everyMs = Math.min(EVERY_MS, Math.max(100, idleMs / 3));
        if (this.#count === 0) {
            this.#beat();
        }
    }
    stop() {
        this.#timer.stop();
        this.#sent.clear();
        this.#count = 0;
    }
    /** Takes a pong that came at `now`. */
    pong({ n, time }, now) {
        const sent = this.#sent.get(n);
        if (sent !== undefined) {
            this.clock.pong(sent, now, time);
            for (const serial of [...this.#sent.keys()].filter((serial) => serial <= n)) {
                this.#sent.delete(serial);
            }
        }
    }
    #beat() {
        const now = this.env.now();
        const [oldest] = this.#sent.values();
        if (oldest !== undefined && now - oldest > SILENCE_MAX_MS) {
            this.dead();
            return;
        }
        this.#serial += 1;
        this.#count += 1;
        this.#sent.set(this.#serial, now);
        this.ping(this.#serial);
        this.#timer.set(this.#count < FIRST ? Math.min(FIRST_MS, this.#everyMs) : this.#everyMs, () => this.#beat());
    }
}
