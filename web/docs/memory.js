// What the answers to requests tried out have given, and where it goes next: a session's id into the path, its ETag into
// If-Match, a refresh token into the body that asks for one. No DOM, and nothing of the page that shows the operations.

const UUID = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/;
const EXAMPLES = new RegExp(UUID, "g");

/** Headers that a request is complete without: with an example's value in them it would not be what the example says. */
const LEFT_EMPTY = new Set(["Idempotency-Key", "If-Match", "If-None-Match"]);

/** Which of the sessions seen last an operation is about; any where nothing is said. */
const KIND_OF = [
  [/^\/combat\/|\/tickets$/, ["combat"]],
  [/\/members|\/state$/, ["custom"]],
  [/\/refresh$/, ["auth"]],
  [/\/heartbeat$/, ["player", "auth"]],
];

const METHODS = ["get", "put", "post", "delete", "patch"];

/** Every operation of a document, with where it is. */
export function* operationsOf(spec) {
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const method of METHODS) {
      if (item[method]) {
        yield { path, method, item, operation: item[method] };
      }
    }
  }
}

/**
 * The document as it is tried out: optional headers are empty, and the players in its examples are `me` and others that nobody
 * has heard of yet.
 */
export function readyToTry(spec, me, fresh = () => crypto.randomUUID()) {
  const ready = structuredClone(spec);
  const players = new Map();
  const player = (id) => {
    if (!players.has(id)) {
      players.set(id, players.size === 0 && me ? me : fresh());
    }
    return players.get(id);
  };
  for (const { operation } of operationsOf(ready)) {
    for (const media of Object.values(operation.requestBody?.content ?? {})) {
      for (const name of ["example", "examples"]) {
        if (media[name] !== undefined) {
          media[name] = JSON.parse(JSON.stringify(media[name]).replace(EXAMPLES, player));
        }
      }
    }
  }
  const shared = Object.values(ready.paths).flatMap(({ parameters }) => parameters ?? []);
  for (const parameter of [...shared, ...Object.values(ready.components?.parameters ?? {})]) {
    if (LEFT_EMPTY.has(parameter.name)) {
      delete parameter.example;
    }
    if (parameter.name === "player_id" && parameter.in === "path") {
      parameter.example = [...players.values()][1];
    }
  }
  return ready;
}

/** The player that a token speaks for, or null where it is not a player's; only the server can tell whether it is good. */
export function playerOf(token) {
  try {
    const { sub } = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return UUID.test(sub) ? sub : null;
  } catch {
    return null;
  }
}

export class Memory {
  #operations = [];
  #sessions = new Map();
  #tags = new Map();
  /** What was filled in last, by operation and parameter. */
  #filled = new Map();
  /** The ticket that was told last and has not been used. */
  ticket = null;

  constructor(spec) {
    for (const { path, method, item, operation } of operationsOf(spec)) {
      const named = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(
        (parameter) => parameter.$ref?.split("/").at(-1) ?? parameter.name,
      );
      this.#operations.push({
        path,
        method,
        kinds: KIND_OF.find(([pattern]) => pattern.test(path))?.[1] ?? null,
        hasSession: path.includes("{session_id}"),
        hasMatch: named.includes("IfMatch"),
      });
    }
  }

  /**
   * Takes an answer to a request of `method` and `path`. Returns what it fills in: `{path, method, name, in, value}` for parameters
   * and `{path, method, body}` for bodies. What is there already is not among them: every value that is put into the page takes a
   * look at all of it, and what somebody wrote in its place stays.
   */
  learn(path, method, { status, url, headers, body }) {
    if (!(status >= 200 && status < 300)) {
      return [];
    }
    const id = body?.session_id ?? url.match(new RegExp(`/sessions/(${UUID.source})`))?.[1];
    if (!id) {
      return [];
    }
    const fills = [];
    const kind = body?.type ?? (/^\/(combat|arena)\//.test(path) ? "combat" : null);
    if (kind && body?.session_id) {
      this.#sessions.delete(kind);
      this.#sessions.set(kind, id);
    }
    // A fight changes by itself: its tag is an old one before it can be sent.
    if (headers?.etag && kind !== "combat") {
      this.#tags.set(id, headers.etag);
    } else if (method !== "get") {
      this.#tags.delete(id);
    }
    this.ticket = body?.ticket ?? this.ticket;
    if (body?.tokens?.refresh_token) {
      const text = JSON.stringify({ refresh_token: body.tokens.refresh_token }, null, 2);
      fills.push({ path: "/sessions/{session_id}/refresh", method: "post", body: text });
    }
    for (const operation of this.#operations) {
      const session = operation.hasSession && this.#sessionFor(operation.kinds);
      if (session) {
        const { path: of, method: by } = operation;
        fills.push({ path: of, method: by, name: "session_id", in: "path", value: session });
        if (operation.hasMatch) {
          fills.push({ path: of, method: by, name: "If-Match", in: "header", value: this.#tags.get(session) ?? "" });
        }
      }
    }
    return fills.filter(({ path: of, method: by, name = "", value, body: text = value }) => {
      const place = `${by} ${of} ${name}`;
      const news = this.#filled.get(place) !== text;
      this.#filled.set(place, text);
      return news;
    });
  }

  /** The newest session of one of these kinds. */
  #sessionFor(kinds) {
    return [...this.#sessions].filter(([kind]) => !kinds || kinds.includes(kind)).at(-1)?.[1];
  }
}
