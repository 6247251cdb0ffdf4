// Joins of one connection: one after the other, as an `error` does not say which `join` it answers.
import { Timer } from "./env.js";
/** From a `join` to its answer. */
const ANSWER_MAX_MS = 10_000;
export class Joins {
    env;
    ask;
    unanswered;
    #answer;
    #waiting = [];
    #later = new Map();
    #asked = null;
    /** `ask` sends a member's `join`; `unanswered` is called where nothing comes of it. */
    constructor(env, ask, unanswered) {
        this.env = env;
        this.ask = ask;
        this.unanswered = unanswered;
        this.#answer = new Timer(env);
    }
    /** Whose `join` has no answer yet. */
    get asked() {
        return this.#asked;
    }
    /** Has `member` join as soon as it is its turn. */
    want(member) {
        if (this.#asked !== member && !this.#waiting.includes(member)) {
            this.#waiting.push(member);
            this.#next();
        }
    }
    /** The same after `ms`, if it still needs to. */
    wantIn(ms, member) {
        const later = this.#later.get(member) ?? new Timer(this.env);
        this.#later.set(member, later);
        later.set(ms, () => member.current() || this.want(member));
    }
    /** The `join` of `member` has its answer. */
    answered(member) {
        if (this.#asked === member) {
            this.#asked = null;
            this.#answer.stop();
            this.#next();
        }
    }
    /** `member` does not want to join any more. */
    forget(member) {
        this.#later.get(member)?.stop();
        this.#later.delete(member);
        const place = this.#waiting.indexOf(member);
        if (place >= 0) {
            this.#waiting.splice(place, 1);
        }
        this.answered(member);
    }
    /** Nobody does. */
    clear() {
        this.#answer.stop();
        this.#later.forEach((timer) => timer.stop());
        this.#later.clear();
        this.#waiting.length = 0;
        this.#asked = null;
    }
    #next() {
        if (this.#asked === null) {
            this.#asked = this.#waiting.shift() ?? null;
            if (this.#asked !== null) {
                this.#answer.set(ANSWER_MAX_MS, this.unanswered);
                this.ask(this.#asked);
            }
        }
    }
}
