// The few REST calls the arena makes: a guest's token, a seat, a ticket. No DOM.

/** A request that was not answered with success. `status` is 0 where nothing answered at all. */
export class ApiError extends Error {
  constructor(status, reason, message, retryAfterMs) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether asking again later can help. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

const ANSWER_MAX_MS = 8000;

export class Api {
  #fetch;

  constructor(fetch = globalThis.fetch.bind(globalThis)) {
    this.#fetch = fetch;
  }

  /** A new guest, or the next token of the one whose token that is: `{token, player_id, expires_at}`. */
  guest(token) {
    return this.#ask("POST", "guest", token, {});
  }

  /** By which rules it can be played: `{rulesets: [{name, title, kinds}]}`. */
  offers() {
    return this.#ask("GET", "rulesets");
  }

  /** A seat in a fight, `wanted` being `{kind, ruleset, difficulty}`: `{session_id, slot, seats, ticket, url, expires_at}`. */
  seat(token, wanted) {
    return this.#ask("POST", "arena/seats", token, wanted);
  }

  /** A ticket to a fight the player has a seat in: `{ticket, url, expires_at, …}`. */
  ticket(token, session) {
    return this.#ask("POST", `sessions/${session}/tickets`, token);
  }

  async #ask(method, path, token, body) {
    const headers = { accept: "application/json" };
    if (token) {
      headers.authorization = `Bearer ${token}`;
    }
    if (body) {
      headers["content-type"] = "application/json";
    }
    const request = {
      method,
      headers,
      cache: "no-store",
      signal: AbortSignal.timeout(ANSWER_MAX_MS),
      ...(body && { body: JSON.stringify(body) }),
    };
    let response;
    try {
      response = await this.#fetch(path, request);
    } catch {
      throw new ApiError(0, "unreachable", "The server does not answer.");
    }
    const answer = await response.json().catch(() => ({}));
    if (response.ok) {
      return answer;
    }
    const retryAfterMs = Number(response.headers.get("retry-after")) * 1000 || undefined;
    const message = answer.message ?? `The server answered ${response.status}.`;
    throw new ApiError(response.status, answer.details?.reason, message, retryAfterMs);
  }
}
