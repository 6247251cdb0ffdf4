// What time it is at the server and in a session. The server's clock is told by pongs: its time was read about the middle of
// the way there and back. Session time goes with it, at a difference that every message tells, and stands still in a pause.
/** Pongs that count: few enough to follow a clock that drifts. */
const SAMPLES_MAX = 15;
export class ServerClock {
    #samples = [];
    /** The least that the server's clock can be ahead of the local one, by messages that came: used until the first pong. */
    #least = -Infinity;
    /** Of the samples: they are asked for far more often than one comes. */
    #ahead = null;
    #trip = null;
    /** A ping left at `sent`, and its pong with the server's `time` came at `received`. */
    pong(sent, received, time) {
        this.#samples.push({ offset: time - (sent + received) / 2, trip: received - sent });
        if (this.#samples.length > SAMPLES_MAX) {
            this.#samples.shift();
        }
        const trip = median(this.#samples.map((sample) => sample.trip)) ?? 0;
        this.#trip = trip;
        // Slow ways are seldom equally slow both ways: only the quicker half is believed.
        this.#ahead = median(this.#samples.filter((sample) => sample.trip <= trip).map((sample) => sample.offset));
    }
    /** A message with the server's `time` came at `received`. */
    heard(received, time) {
        this.#least = Math.max(this.#least, time - received);
    }
    /** What the server's clock (Unix milliseconds) is ahead of the local one; `null` before any message. */
    get offset() {
        return this.#ahead ?? (this.#least === -Infinity ? null : this.#least);
    }
    /** How long a message is on its way, in milliseconds; `null` before the first pong. */
    get latency() {
        return this.#trip === null ? null : this.#trip / 2;
    }
}
export class SessionClock {
    server;
    #stamp = null;
    #running = true;
    constructor(server) {
        this.server = server;
    }
    /** It was session time `at` when the server's clock said `time`; `running` says whether time passes after that. */
    set(stamp, running = this.#running) {
        this.#stamp = { at: stamp.at, time: stamp.time };
        this.#running = running;
    }
    /** Session time at local time `now`; 0 before any message. */
    at(now) {
        if (this.#stamp === null) {
            return 0;
        }
        const { at, time } = this.#stamp;
        const offset = this.server.offset;
        return this.#running && offset !== null ? Math.max(at, at + now + offset - time) : at;
    }
}
function median(values) {
    const sorted = values.toSorted((one, other) => one - other);
    const middle = sorted.length >> 1;
    const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
    return low === undefined || high === undefined ? null : (low + high) / 2;
}
