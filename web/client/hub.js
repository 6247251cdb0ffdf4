// The few requests that a player makes before it has a socket: a guest's token, a seat, a ticket.
import { connect } from "./fight.js";
const ANSWER_MAX_MS = 8_000;
/** The same where there is another node to ask. */
const ANSWER_MAX_MS_OF_ONE = 3_000;
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
    #bases;
    #current = 0;
    /**
     * The server at `base`, for example `http://127.0.0.1:8080`; of a page it may be relative to the page. Of a cluster it may be several of
     * its nodes: where one cannot be reached, the next is asked, and from then on that one.
     */
    constructor(base) {
        this.#bases = [base].flat().map(bare);
        if (this.#bases.length === 0) {
            throw new Error("a hub is somewhere");
        }
    }
    /** The node that is asked at the moment. */
    get base() {
        return this.#bases[this.#current];
    }
    /** Asks where else clients reach the cluster, and knows those from then on, too. Alone it is nowhere else. */
    async discover() {
        const { cluster } = await this.#ask("GET", "/health");
        const others = (cluster?.also_at ?? []).map(bare);
        this.#bases.push(...others.filter((url) => !this.#bases.includes(url)));
        return others;
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
    /** Asks the current node and, where it cannot be reached, the others in turn. */
    async #ask(method, path, token, body) {
        for (let more = this.#bases.length - 1;; more--) {
            const asked = this.#current;
            try {
                return await this.#askAt(this.base, method, path, token, body);
            }
            catch (error) {
                if (!(error instanceof HubError) || error.status !== 0 || this.#bases.length === 1) {
                    throw error;
                }
                // Another request may have found out meanwhile.
                if (this.#current === asked) {
                    this.#current = (asked + 1) % this.#bases.length;
                }
                if (more === 0) {
                    throw error;
                }
            }
        }
    }
    async #askAt(base, method, path, token, body) {
        const headers = { accept: "application/json" };
        if (token !== undefined) {
            headers.authorization = `Bearer ${token}`;
        }
        if (body !== undefined) {
            headers["content-type"] = "application/json";
        }
        const signal = AbortSignal.timeout(this.#bases.length > 1 ? ANSWER_MAX_MS_OF_ONE : ANSWER_MAX_MS);
        const request = { method, headers, cache: "no-store", signal, ...(body && { body: JSON.stringify(body) }) };
        const response = await fetch(base + path, request).catch((error) => {
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
const bare = (url) => url.replace(/\/+$/, "");
