// The wire protocol `tiltyard.v1.json`, as docs/PROTOCOL.md has it: what a client may say, the view it rebuilds from a
// snapshot and deltas, the digest that proves it did not drift, and what each close code asks of it.
// No DOM, no socket, no clock.

export const SUBPROTOCOL = "tiltyard.v1.json";

/** What a client says. */
export const say = {
  join: (session, seq) => ({ t: "join", d: seq === undefined ? { session } : { session, seq } }),
  leave: (s) => ({ t: "leave", d: { s } }),
  ready: (s) => ({ t: "ready", d: { s } }),
  action: (s, id, kind, to) => ({ t: "action", d: to === undefined ? { s, id, kind } : { s, id, kind, to } }),
  ping: (n) => ({ t: "ping", d: { n } }),
};

const STATUS_CODES = { initializing: 0, active: 1, paused: 2, completed: 3, terminated: 4 };
const PHASE_CODES = { preparation: 0, active: 1, cooldown: 2, finished: 3 };
const PARTICIPANT_CODES = { active: 0, eliminated: 1, disconnected: 2 };

const PATCHABLE = ["player", "status", "ready", "hp", "armor", "stamina", "stamina_at", "guard_until", "score"];

/** Why a view is no longer to be trusted; the way back is to join again. */
export class Drift extends Error {
  /** @param {"gap" | "slot" | "digest"} kind */
  constructor(kind, message) {
    super(message);
    this.name = "Drift";
    this.kind = kind;
  }
}

/** The view of a snapshot whose digest is right; throws `Drift` where it is not. */
export function viewOf(snapshot) {
  check(digest(snapshot.view), snapshot.h);
  return snapshot.view;
}

/** The view after `delta`, which must be the one after `seq`; `view` itself stays as it was. Throws `Drift`. */
export function apply(view, seq, delta) {
  if (delta.q !== seq + 1) {
    throw new Drift("gap", `delta ${delta.q} came where ${seq + 1} was due`);
  }
  const after = { ...view, participants: view.participants.slice() };
  for (const patch of delta.p ?? []) {
    after.participants[patch.i] = patched(after.participants, patch);
  }
  if (delta.ph) {
    after.phase = delta.ph;
  }
  if (delta.h !== undefined) {
    check(digest(after), delta.h);
  }
  return after;
}

function patched(participants, patch) {
  const takesSeat = patch.i === participants.length && patch.player !== undefined;
  if (patch.i >= participants.length && !takesSeat) {
    throw new Drift("slot", `the delta names slot ${patch.i}, which is not in the view`);
  }
  const participant = { ...participants[patch.i] };
  for (const field of PATCHABLE) {
    if (patch[field] !== undefined) {
      participant[field] = patch[field];
    }
  }
  return participant;
}

function check(here, server) {
  if (here !== server) {
    throw new Drift("digest", `digest ${here} here, ${server} at the server`);
  }
}

/** The digest of a view: 32 bits, unsigned. The rules are left out because they never change. */
export function digest(view) {
  let h = 0x811c9dc5;
  const word = (w) => {
    h = Math.imul(h ^ w, 0x9e3779b1);
    h ^= h >>> 15;
  };
  const wide = (value) => {
    word(value >>> 0);
    word(Math.floor(value / 2 ** 32) >>> 0);
  };
  const { phase, seats, participants } = view;
  word(STATUS_CODES[phase.status]);
  word(PHASE_CODES[phase.phase]);
  wide(phase.until === undefined ? 0 : phase.until + 1);
  word(phase.winner === undefined ? 0 : phase.winner + 1);
  word(seats);
  for (const participant of participants) {
    word(parseInt(participant.player.slice(-8), 16));
    word(PARTICIPANT_CODES[participant.status]);
    word(participant.ready ? 1 : 0);
    word(participant.hp);
    word(participant.armor);
    word(participant.stamina);
    wide(participant.stamina_at);
    wide(participant.guard_until);
    word(participant.score);
  }
  return h >>> 0;
}

/** A participant's stamina in thousandths at session time `at`. */
export function staminaAt(participant, rules, at) {
  // Points a second are thousandths a millisecond.
  const grown = participant.stamina + Math.max(0, at - participant.stamina_at) * rules.stamina_per_second;
  return Math.min(rules.stamina * 1000, grown);
}

/** Session time at which a participant may raise the guard again. */
export function guardReadyAt(participant, rules) {
  return participant.guard_until === 0
    ? 0
    : participant.guard_until - rules.defend_ms + rules.defend_cooldown_ms;
}

const RECONNECT = new Set([1001, 1006, 1011, 1012, 1013, 4408, 4413, 4429]);

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
  4429: "This page sent too many messages.",
};

/** What a close code asks of the client, and what to tell the player. */
export function closeAdvice(code) {
  return {
    reconnect: RECONNECT.has(code),
    words: CLOSED_BECAUSE[code] ?? `The connection was closed (code ${code}).`,
  };
}
