// A session that the player is in, of whatever type: joins it, joins again after a loss, and says where it is. What the messages
// mean is the type's own affair.
import { ENDED, REPLACED } from "./closing.js";
import { Emitter } from "./emitter.js";
/** A session is joined again over the same connection at most this often. */
const AGAIN_MS = 1_000;
/** Why one is out of a session for good, as the close codes that say the same. */
const OUT_FOR_GOOD = new Map([
    ["asked", 1000],
    ["replaced", REPLACED],
    ["removed", 4403],
]);
export class Membership {
    session;
    connection;
    #member;
    #events = new Emitter();
    #handle = null;
    #current = false;
    #status = "connecting";
    #closing = null;
    #joinedAt = -Infinity;
    /** What is told when the answers that are given now have been heard. */
    #held = null;
    constructor(session, connection) {
        this.session = session;
        this.connection = connection;
        this.#member = {
            session,
            current: () => this.#current,
            join: () => this.joining(),
            receive: (message, now) => this.#receive(message, now),
            linked: () => this.#linked(),
            closed: (code, why) => this.#shut({ code, why }),
            notice: (notice) => this.noticed(notice),
            renewed: (leftMs) => this.#tell("renewed", { left_ms: leftMs }),
        };
    }
    /** Calls `listener` with every `name` from now on, until what this returns is called. */
    on(name, listener) {
        return this.#events.on(name, listener);
    }
    get status() {
        return this.#status;
    }
    /** Why it is closed, once it is. */
    get closing() {
        return this.#closing;
    }
    /** Stops receiving the session; what the player has in it is kept. */
    leave() {
        if (this.#handle !== null) {
            this.connection.send({ t: "leave", d: { s: this.#handle } });
        }
    }
    /** Leaves, and closes the connection if it is in no other session. */
    close() {
        if (this.#closing === null) {
            if (this.connection.state.name === "open") {
                this.leave();
            }
            this.connection.remove(this.#member);
            this.#shut({ code: 1000, why: "the client closed the connection" });
        }
    }
    /** Joins again what was closed. */
    reopen() {
        if (this.#closing !== null) {
            this.#closing = null;
            this.enter();
        }
    }
    /** An `error` that is not known to be another session's. */
    noticed(notice) {
        this.#tell("error", notice);
    }
    /** The session's handle while it is joined. */
    get handle() {
        return this.#handle;
    }
    get current() {
        return this.#current;
    }
    /** Joins; for when all that may be called is there. */
    enter() {
        this.connection.add(this.#member);
        this.#stand();
    }
    /** What is here is the server's, or is not any more. */
    stands(current) {
        this.#current = current;
        this.#stand();
    }
    /** Joins again over the same connection, as soon as that may be asked. */
    joinAgain() {
        const passed = this.connection.env.now() - this.#joinedAt;
        this.connection.rejoin(this.#member, Math.max(0, AGAIN_MS - passed));
    }
    /** Answers have been given, by promises: what is told from here on waits until who awaits them has heard. */
    holds() {
        if (this.#held === null) {
            const held = (this.#held = []);
            queueMicrotask(() => {
                for (let tell = held.shift(); tell !== undefined; tell = held.shift())
                    tell();
                this.#held = null;
            });
        }
    }
    emit(name, value) {
        const tell = () => this.#events.emit(name, value);
        if (this.#held === null) {
            tell();
        }
        else {
            this.#held.push(tell);
        }
    }
    /** What sessions of all types tell alike. */
    #tell(name, value) {
        this.emit(name, value);
    }
    #receive(message, now) {
        if (message.t === "left") {
            return this.#left(message.d);
        }
        if (message.t === "joined") {
            if ((message.d.type ?? "combat") !== this.type) {
                this.noticed({ reason: "wrong_type", message: `the session is no ${this.type} session` });
                return this.close();
            }
            this.#handle = message.d.s;
            this.#joinedAt = now;
            this.#current = false;
        }
        this.receive(message, now);
    }
    #linked() {
        if (this.connection.state.name !== "open") {
            this.#out();
        }
        this.#stand();
    }
    #shut(closing) {
        if (this.#closing !== null) {
            return;
        }
        this.#out();
        this.#closing = closing;
        this.#stand();
        this.ended();
        this.#tell("closed", closing);
    }
    #out() {
        this.#handle = null;
        this.#current = false;
        this.lost();
    }
    #stand() {
        const link = this.connection.state.name;
        const open = this.#current ? "live" : "joining";
        const status = this.#closing !== null ? "closed" : link === "open" ? open : link;
        if (status !== this.#status) {
            this.#status = status;
            this.#tell("status", status);
        }
    }
    #left(left) {
        this.#out();
        this.#tell("left", left);
        this.connection.expelled(this.#member, left.why === "moved" ? null : (OUT_FOR_GOOD.get(left.why) ?? ENDED));
        this.#stand();
    }
}
