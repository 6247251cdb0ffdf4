// The few requests that a player makes before it has a socket: a guest's token, a seat, a ticket.
import { connect } from "./fight.js";
const ANSWER_MAX_MS = 8_000;
/** A request that was refused; `status` is 0 where nothing answered. */
export class HubError extends Error {
    status;
    reason;
    retryMs;
    name = "HubError";
    constructor(status, reason, message, retryMs) {
        super(message);
        this.status = status;
        this.reason = reason;
        this.retryMs = retryMs;
    }
}
export class Hub {
    #base;
    /** The server at `base`, for example `http://127.0.0.1:8080`; of a page it may be relative to the page. */
    constructor(base) {
        this.#base = base.replace(/\/+$/, "");
    }
    /** A new guest, or the next token of the one whose token that is. */
    guest(token) {
        return this.#ask("POST", "/guest", token, {});
    }
    /** By which rules it can be fought. */
    async offers() {
        return (await this.#ask("GET", "/rulesets")).rulesets;
    }
    /** A seat in the next fight of the arena. */
    seat(token, wish) {
        return this.#ask("POST", "/arena/seats", token, wish);
    }
    /** A ticket to a session that the token's player has a seat in. */
    ticket(token, session) {
        return this.#ask("POST", `/sessions/${session}/tickets`, token);
    }
    /** Plays the seat, coming back with tickets of this player; a guest's token is renewed by itself. */
    play(guest, seat, options = {}) {
        let { token } = guest;
        return connect({
            session: seat.session_id,
            url: seat.url,
            ticket: () => this.ticket(token, seat.session_id),
            token: async () => ({ token } = await this.guest(token)).token,
            ...options,
        });
    }
    async #ask(method, path, token, body) {
        const headers = { accept: "application/json" };
        if (token !== undefined) {
            headers.authorization = `Bearer ${token}`;
        }
        if (body !== undefined) {
            headers["content-type"] = "application/json";
        }
        const signal = AbortSignal.timeout(ANSWER_MAX_MS);
        const request = { method, headers, cache: "no-store", signal, ...(body && { body: JSON.stringify(body) }) };
        const response = await fetch(this.#base + path, request).catch((error) => {
            // What really happened, such as a certificate that nobody vouches for, is below.
            const below = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
            throw new HubError(0, "unreachable", `${String(error)}${below}`);
        });
        const answer = (await response.json().catch(() => ({})));
        if (!response.ok) {
            const seconds = Number(response.headers.get("retry-after") ?? 0);
            const reason = answer.details?.reason ?? "";
            throw new HubError(response.status, reason, answer.message ?? response.statusText, seconds > 0 ? seconds * 1_000 : undefined);
        }
        return answer;
    }
}
