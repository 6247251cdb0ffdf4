// What a connection needs of the world around it; handed in, so that a test can play all of it.
const WORLD = {
    socket(url, protocol) {
        if (typeof WebSocket === "undefined") {
            throw new Error("there is no WebSocket here: hand one in as env.socket, or use Node.js 22 or newer");
        }
        return new WebSocket(url, protocol);
    },
    now: () => performance.now(),
    setTimeout: (action, ms) => setTimeout(action, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    dice: () => Math.random(),
};
/** The world, but for what of it is given. */
export function worldWith(given = {}) {
    const of = (name) => given[name] ?? WORLD[name];
    return {
        socket: of("socket").bind(given),
        now: of("now").bind(given),
        setTimeout: of("setTimeout").bind(given),
        clearTimeout: of("clearTimeout").bind(given),
        dice: of("dice").bind(given),
    };
}
/** One timer of a name: setting it again replaces it. */
export class Timer {
    env;
    #handle = null;
    constructor(env) {
        this.env = env;
    }
    set(ms, action) {
        this.stop();
        this.#handle = this.env.setTimeout(() => {
            this.#handle = null;
            action();
        }, ms);
    }
    stop() {
        if (this.#handle !== null) {
            this.env.clearTimeout(this.#handle);
            this.#handle = null;
        }
    }
}
