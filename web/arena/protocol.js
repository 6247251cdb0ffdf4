// The wire protocol, as docs/PROTOCOL.md has it: what a client may say, and what each close code asks of it. What the
// server shows is in view.js. No DOM, no socket, no clock.

export const SUBPROTOCOL = "tiltyard.v2.json";

/** What a client says. */
export const say = {
  join: (session, seq) => ({ t: "join", d: seq === undefined ? { session } : { session, seq } }),
  leave: (s) => ({ t: "leave", d: { s } }),
  concede: (s) => ({ t: "concede", d: { s } }),
  ready: (s) => ({ t: "ready", d: { s } }),
  /** `action` has `id` and `kind`, and of `to`, `part`, `a`, `x`, `y`, `c`, `z` what the kind needs. */
  action: (s, action) => ({ t: "action", d: { s, ...present(action) } }),
  ping: (n) => ({ t: "ping", d: { n } }),
  /** A new token for the one that the connection lives by. */
  renew: (token) => ({ t: "renew", d: { token } }),
};

/** Fields that have nothing to say are left out. */
function present(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const RECONNECT = new Set([1001, 1006, 1011, 1012, 1013, 4408, 4413, 4429]);

/** By the server's close codes, and 4403, by which this page calls a refusal to let it in. */
const CLOSED_BECAUSE = {
  1000: "The connection was closed.",
  1001: "The server went away.",
  1002: "The server does not speak this page's protocol.",
  1003: "The server does not speak this page's encoding.",
  1006: "The connection was lost.",
  1007: "The server could not read what this page sent.",
  1009: "This page sent a message that was too big.",
  1011: "The server failed.",
  1012: "The server restarts.",
  1013: "The server has too much to do.",
  4400: "The server understood too little of what this page sent.",
  4401: "Your token is not valid any more.",
  4403: "You may not take part in this fight.",
  4404: "This fight does not exist any more.",
  4408: "The server heard nothing from this page for too long.",
  4409: "You opened this fight in another tab.",
  4410: "This fight has ended.",
  4413: "This page read too slowly.",
  4419: "Your token has expired.",
  4429: "This page sent too many messages.",
};

/** What a close code asks of the client, and what to tell the player. */
export function closeAdvice(code) {
  return {
    reconnect: RECONNECT.has(code),
    words: CLOSED_BECAUSE[code] ?? `The connection was closed (code ${code}).`,
  };
}
