// The digest of a view: 32 bits over its words, in the order of docs/PROTOCOL.md. No DOM.

const STATUS_CODES = { initializing: 0, active: 1, paused: 2, completed: 3, terminated: 4 };
const PHASE_CODES = { preparation: 0, active: 1, cooldown: 2, finished: 3 };
const PARTICIPANT_CODES = { active: 0, eliminated: 1, disconnected: 2 };
const END_CODES = Object.fromEntries(
  [
    "last_standing",
    "time_limit",
    "forfeit",
    "terminated",
    "completed",
    "abandoned",
    "failed",
    "score_limit",
    "rounds_won",
    "cleared",
    "survived",
    "defeated",
    "not_ready",
    "pause_limit",
  ].map((name, code) => [name, code]),
);

/** The digest: unsigned. */
export function digest(view) {
  const sum = new Words();
  addPhase(sum, view.phase);
  sum.word(view.seats);
  sum.list(view.covers, (health) => sum.word(health));
  sum.list(view.hazards, ([health, gone]) => sum.words(health, gone));
  sum.list(view.modifiers, (effect) => sum.word(effect));
  sum.list(view.participants, (participant) => addParticipant(sum, participant));
  view.participants.forEach((participant, slot) => addPrivate(sum, participant, slot));
  addMotions(sum, view.participants);
  return sum.value;
}

function addPhase(sum, { status, phase, state = "", until, winner, team, end, round = 0, wins = [], turn, turn_until: turnUntil = 0 }) {
  sum.words(STATUS_CODES[status], PHASE_CODES[phase]);
  sum.list(new TextEncoder().encode(state), (byte) => sum.word(byte));
  sum.wide(until === undefined ? 0 : until + 1);
  sum.words(orNone(winner), orNone(team), orNone(END_CODES[end]), round);
  sum.list(wins, ([side, won]) => sum.words(side, won));
  sum.word(orNone(turn));
  sum.wide(turnUntil);
}

function addParticipant(sum, p) {
  sum.words(parseInt(p.player.slice(-8), 16), p.team, PARTICIPANT_CODES[p.status], (p.ready ? 1 : 0) + (p.hidden ? 2 : 0));
  sum.words(p.score, orNone(p.enemy), p.phase, p.hp, p.armor, p.shield, p.stamina);
  sum.wide(p.stamina_at);
  sum.word(p.stamina_rate);
  sum.wide(p.guard_until);
  sum.words(p.state, p.x, p.y);
  sum.triples(p.effects);
  const [ability, until = 0] = p.cast;
  sum.word(orNone(ability));
  sum.wide(until);
}

/** What is a participant's own affair; no words where there is nothing of it. */
function addPrivate(sum, p, slot) {
  const nothing = [p.energy, p.energy_at, p.energy_rate, p.charge, p.ammo, p.reload_at, p.used.length].every((one) => one === 0);
  if (nothing) {
    return;
  }
  sum.words(slot + 1, p.energy);
  sum.wide(p.energy_at);
  sum.words(p.energy_rate, p.charge, p.ammo);
  sum.wide(p.reload_at);
  sum.triples(p.used);
}

/** Which way those face and how fast they go of whom that is not all zero, behind a word that is no slot; no words where there are none. */
function addMotions(sum, participants) {
  const motions = participants.map(({ f = 0, vx = 0, vy = 0 }, slot) => [slot + 1, f, vx, vy]);
  const moving = motions.filter((motion) => motion.slice(1).some((one) => one !== 0));
  if (moving.length > 0) {
    sum.words(0xffffffff, ...moving.flat());
  }
}

const orNone = (value) => (value === undefined ? 0 : value + 1);

class Words {
  #h = 0x811c9dc5;

  get value() {
    return this.#h >>> 0;
  }

  word(w) {
    const h = Math.imul(this.#h ^ w, 0x9e3779b1);
    this.#h = h ^ (h >>> 15);
  }

  words(...all) {
    all.forEach((w) => this.word(w));
  }

  /** A 64-bit value as two words, the low one first. */
  wide(value) {
    this.words(value >>> 0, Math.floor(value / 2 ** 32) >>> 0);
  }

  /** The length of a list, then what `add` adds of each. */
  list(items, add) {
    this.word(items.length);
    items.forEach((item) => add(item));
  }

  /** A list of two small numbers and a time each. */
  triples(items) {
    this.list(items, ([first, second, time]) => {
      this.words(first, second);
      this.wide(time);
    });
  }
}
