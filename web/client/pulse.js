// A player session: the player's presence, which ends by itself unless somebody says often enough that the player is there.
import { Timer } from "./env.js";
import { Membership } from "./membership.js";
import { Requests } from "./requests.js";
/** No server needs to hear it more often. */
const LEAST_MS = 1_000;
/** Keeps a player session alive for as long as it is open, by a beat in each third of what is left of it. */
export class Pulse extends Membership {
    type = "player";
    #requests = new Requests();
    #timer;
    /** When the presence ends without another beat, in the server's Unix milliseconds; 0 until that is known. */
    expiresAt = 0;
    /** Joins the player session `session` over `connection`. */
    constructor(session, connection) {
        super(session, connection);
        this.#timer = new Timer(connection.env);
        this.enter();
    }
    /** Says now that the player is there. */
    beat() {
        const { handle } = this;
        return this.#requests.ask((id) => handle !== null && this.connection.send({ t: "beat", d: { s: handle, id } }));
    }
    joining() {
        return { t: "join", d: { session: this.session } };
    }
    receive(message) {
        switch (message.t) {
            case "joined":
                return message.d.type === "player" ? this.#joined(message.d) : undefined;
            case "ack":
                return this.#acknowledged(message.d);
            case "refused":
                return this.#refused(message.d);
        }
    }
    lost() {
        this.#timer.stop();
        if (this.#requests.end()) {
            this.holds();
        }
    }
    ended() { }
    #joined(joined) {
        this.stands(true);
        this.emit("joined", joined);
        this.#lasts(joined.expires_at);
    }
    #acknowledged(ack) {
        if (this.#requests.done(ack)) {
            this.holds();
            this.#lasts(ack.expires_at ?? this.expiresAt);
        }
    }
    #refused(refused) {
        if (this.#requests.refused(refused) && refused.retry_ms !== undefined) {
            this.#next(refused.retry_ms);
        }
    }
    #lasts(until) {
        this.expiresAt = until;
        const now = this.connection.env.now() + (this.connection.clock.offset ?? 0);
        this.#next((this.expiresAt - now) / 3);
        this.emit("beat", { expiresAt: this.expiresAt });
    }
    #next(ms) {
        if (this.handle !== null) {
            this.#timer.set(Math.max(LEAST_MS, ms), () => void this.beat());
        }
    }
}
