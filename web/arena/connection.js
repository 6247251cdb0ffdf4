// One fight's connection: opens the socket with a fresh ticket, joins, pings, and comes back by itself after a loss for
// as long as the close code allows. It knows nothing of the fight but its id and the sequence to resume at. No DOM; the
// socket, the timers, the clock and the dice are handed in, so that a test can play all of them.

import { SUBPROTOCOL, closeAdvice, say } from "./protocol.js";
import { openSocket } from "./socket.js";

export const PING_EVERY_MS = 2000;
/** A ping that is not answered within this says that the connection is dead, whatever the socket says. */
const SILENCE_MAX_MS = 8000;
/** From opening the socket to `joined`. */
const JOIN_MAX_MS = 8000;
/** A connection that lasted this long was a good one: the next loss starts from the shortest delay again. */
const STABLE_MS = 5000;
const DELAY_FIRST_MS = 300;
const DELAY_MAX_MS = 5000;
/** With the delays above about a minute and a half; the server keeps a seat for half a minute unless told otherwise. */
const ATTEMPTS_MAX = 24;

/** Answers to `join` that another try cannot change, as the close codes that say the same. */
const JOIN_REFUSED = {
  unauthorized: 4401,
  forbidden: 4403,
  not_a_participant: 4403,
  no_session: 4404,
  session_ended: 4410,
};

/** Refused tickets that another try cannot change, likewise. */
const TICKET_REFUSED = { 401: 4401, 403: 4403, 404: 4404, 409: 4410, 410: 4410 };

/** The delay before try number `attempt`, counted from 0; `dice` is between 0 and 1. */
export function delayMs(attempt, dice) {
  return Math.min(DELAY_MAX_MS, DELAY_FIRST_MS * 2 ** attempt) * (0.5 + dice / 2);
}

const BROWSER = {
  socket: openSocket,
  setTimeout: (action, ms) => setTimeout(action, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  now: () => performance.now(),
  dice: () => Math.random(),
};

/**
 * States, by `name`: `connecting` (ticket and handshake), `joining`, `live`, `waiting` (for the next try, `waitMs`), and
 * `closed` (for good; `code`, `words`, and `again` where the player may try once more).
 */
export class Connection {
  #session;
  #ticket;
  #token;
  #seq;
  #onMessage;
  #onState;
  #env;
  #socket = null;
  #timer = null;
  #dialed = 0;
  #attempt = 0;
  #liveSince = null;
  #pingSerial = 0;
  #pings = new Map();

  state = { name: "closed" };
  /** Round trip of the last answered ping in milliseconds. */
  rttMs = null;

  /**
   * @param {object} options
   * @param {string} options.session id of the session to join
   * @param {() => Promise<{url: string}>} options.ticket mints a ticket
   * @param {() => Promise<string | null>} options.token gets a new token for the player, where there is one to get
   * @param {() => number | undefined} options.seq the last sequence applied
   * @param {(message: object, at: number) => void} options.onMessage takes every message of the server, and when it came
   * @param {(state: object) => void} options.onState hears of every change of state
   */
  constructor({ session, ticket, token, seq, onMessage, onState, env = BROWSER }) {
    this.#session = session;
    this.#ticket = ticket;
    this.#token = token;
    this.#seq = seq;
    this.#onMessage = onMessage;
    this.#onState = onState;
    this.#env = env;
  }

  /** Connects; `url` saves minting a ticket where there is one already. */
  open(url) {
    this.#attempt = 0;
    return this.#dial(url);
  }

  /** Tries at once instead of waiting; for when there is reason to think that it will do now. */
  hasten() {
    if (this.state.name === "waiting") {
      this.open();
    }
  }

  /** Opens again what was closed, where that can help. */
  retry() {
    if (this.state.name === "closed" && this.state.again) {
      this.open();
    }
  }

  /** Says `message` if there is a socket to say it on. */
  send(message) {
    if (this.state.name !== "live" && this.state.name !== "joining") {
      return false;
    }
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Closes for good. */
  close() {
    const socket = this.#hangUp();
    socket?.close(1000);
    this.#become({ name: "closed", code: 1000, words: closeAdvice(1000).words, again: false });
  }

  async #dial(url) {
    this.#hangUp();
    const dialed = ++this.#dialed;
    this.#become({ name: "connecting", attempt: this.#attempt });
    if (!url) {
      try {
        ({ url } = await this.#ticket());
      } catch (error) {
        if (dialed === this.#dialed) {
          this.#noTicket(error);
        }
        return;
      }
      if (dialed !== this.#dialed) {
        return;
      }
    }
    const socket = this.#env.socket(url, SUBPROTOCOL);
    this.#socket = socket;
    socket.onopen = () => {
      this.#become({ name: "joining", attempt: this.#attempt });
      this.send(say.join(this.#session, this.#seq()));
    };
    socket.onmessage = ({ data, at }) => this.#received(JSON.parse(data), at);
    socket.onclose = ({ code }) => this.#lost(code);
    this.#after(JOIN_MAX_MS, () => this.#lost(1006));
  }

  #received(message, at) {
    if (message.t === "joined" && this.state.name === "joining") {
      this.#liveSince = this.#env.now();
      this.#become({ name: "live" });
      this.#ping();
    } else if (message.t === "error" && this.state.name === "joining") {
      const code = JOIN_REFUSED[message.d.reason];
      this.#lost(code ?? 1013);
      return;
    } else if (message.t === "pong") {
      this.#pong(message.d.n, at);
    } else if (message.t === "expiring") {
      this.#renew();
    }
    this.#onMessage(message, at);
  }

  /** Hands in a new token on the connection that asked for it. Without one the connection ends when its token does. */
  async #renew() {
    const socket = this.#socket;
    const token = await this.#token().catch(() => null);
    if (token && socket === this.#socket) {
      this.send(say.renew(token));
    }
  }

  #ping() {
    const now = this.#env.now();
    const [oldest] = this.#pings.values();
    if (now - oldest > SILENCE_MAX_MS) {
      this.#lost(1006);
      return;
    }
    this.#pingSerial += 1;
    this.#pings.set(this.#pingSerial, now);
    this.send(say.ping(this.#pingSerial));
    this.#after(PING_EVERY_MS, () => this.#ping());
  }

  #pong(n, at) {
    const sent = this.#pings.get(n);
    if (sent === undefined) {
      return;
    }
    this.rttMs = at - sent;
    for (const serial of this.#pings.keys()) {
      if (serial <= n) {
        this.#pings.delete(serial);
      }
    }
  }

  #noTicket(error) {
    const code = TICKET_REFUSED[error.status];
    if (code !== undefined) {
      this.#lost(code);
    } else {
      this.#wait(1006, error.retryAfterMs);
    }
  }

  #lost(code) {
    this.#hangUp()?.close();
    const { reconnect, words } = closeAdvice(code);
    if (reconnect) {
      this.#wait(code);
    } else {
      this.#become({ name: "closed", code, words, again: code === 4409 });
    }
  }

  #wait(code, leastMs = 0) {
    if (this.#liveSince !== null && this.#env.now() - this.#liveSince > STABLE_MS) {
      this.#attempt = 0;
    }
    this.#liveSince = null;
    if (this.#attempt >= ATTEMPTS_MAX) {
      this.#become({ name: "closed", code, words: "The server could not be reached.", again: true });
      return;
    }
    const waitMs = Math.max(leastMs, delayMs(this.#attempt, this.#env.dice()));
    this.#attempt += 1;
    this.#become({ name: "waiting", attempt: this.#attempt, waitMs, words: closeAdvice(code).words });
    this.#after(waitMs, () => this.#dial());
  }

  /** Lets go of the socket and of everything that was still to come of it. */
  #hangUp() {
    const socket = this.#socket;
    this.#socket = null;
    this.#dialed += 1;
    this.#env.clearTimeout(this.#timer);
    this.#pings.clear();
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
    }
    return socket;
  }

  /** One timer is enough: joining, pinging and waiting exclude each other. */
  #after(ms, action) {
    this.#env.clearTimeout(this.#timer);
    this.#timer = this.#env.setTimeout(action, ms);
  }

  #become(state) {
    this.state = state;
    this.#onState(state);
  }
}
