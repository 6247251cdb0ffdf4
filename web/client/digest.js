// The digest of a view: 32 bits over its words, in the order of docs/PROTOCOL.md.
const STATUSES = ["initializing", "active", "paused", "completed", "terminated"];
const PHASES = ["preparation", "active", "cooldown", "finished"];
const STANDINGS = ["active", "eliminated", "disconnected"];
const ENDS = [
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
];
/** No slot + 1: what comes after it is not one's own affair. */
const MOTIONS = 0xffffffff;
const utf8 = new TextEncoder();
/** The digest, unsigned. */
export function digest(view) {
    const words = new Words();
    addPhase(words, view.phase);
    words.add(view.seats);
    words.list(view.covers, (health) => words.add(health));
    words.list(view.hazards, ([health, gone]) => words.add(health, gone));
    words.list(view.modifiers, (effect) => words.add(effect));
    words.list(view.participants, (participant) => addParticipant(words, participant));
    view.participants.forEach((participant, slot) => addOwn(words, participant, slot));
    addMotion(words, view.participants);
    return words.sum;
}
/** Whether each word of the view is known here: of one that only a newer server has there is no code, so the digest says nothing. */
export function isKnown({ phase, participants }) {
    const { status, phase: name, end } = phase;
    const known = STATUSES.includes(status) && PHASES.includes(name) && (end === undefined || ENDS.includes(end));
    return known && participants.every((participant) => STANDINGS.includes(participant.status));
}
function addPhase(words, phase) {
    words.add(STATUSES.indexOf(phase.status), PHASES.indexOf(phase.phase));
    words.list([...utf8.encode(phase.state)], (byte) => words.add(byte));
    words.wide(orNone(phase.until));
    words.add(orNone(phase.winner), orNone(phase.team), phase.end === undefined ? 0 : ENDS.indexOf(phase.end) + 1, phase.round ?? 0);
    words.list(phase.wins ?? [], ([team, rounds]) => words.add(team, rounds));
    words.add(orNone(phase.turn));
    words.wide(phase.turn_until ?? 0);
}
function addParticipant(words, p) {
    words.add(parseInt(p.player.slice(-8), 16), p.team, STANDINGS.indexOf(p.status), (p.ready ? 1 : 0) + (p.hidden ? 2 : 0));
    words.add(p.score, orNone(p.enemy), p.phase, p.hp, p.armor, p.shield, p.stamina);
    words.wide(p.stamina_at);
    words.add(p.stamina_rate);
    words.wide(p.guard_until);
    words.add(p.state, p.x, p.y);
    words.triples(p.effects);
    words.add(orNone(p.cast[0]));
    words.wide(p.cast[1] ?? 0);
}
/** What is a participant's own affair; no words where there is nothing of it. */
function addOwn(words, p, slot) {
    if (p.used.length === 0 && [p.energy, p.energy_at, p.energy_rate, p.charge, p.ammo, p.reload_at].every((value) => value === 0)) {
        return;
    }
    words.add(slot + 1, p.energy);
    words.wide(p.energy_at);
    words.add(p.energy_rate, p.charge, p.ammo);
    words.wide(p.reload_at);
    words.triples(p.used);
}
/** How those look and move who do not stand at rest towards 0 degrees; no words where there is nobody of that kind. */
function addMotion(words, participants) {
    const motions = participants.map(({ f = 0, vx = 0, vy = 0 }) => [f, vx, vy]);
    if (motions.flat().some((value) => value !== 0)) {
        words.add(MOTIONS);
        motions.forEach((motion, slot) => motion.some((value) => value !== 0) && words.add(slot + 1, ...motion));
    }
}
const orNone = (value) => (value === undefined ? 0 : value + 1);
class Words {
    #h = 0x811c9dc5;
    get sum() {
        return this.#h >>> 0;
    }
    add(...words) {
        for (const word of words) {
            const h = Math.imul(this.#h ^ word, 0x9e3779b1);
            this.#h = h ^ (h >>> 15);
        }
    }
    /** A 64-bit value as two words, the low one first. */
    wide(value) {
        this.add(value >>> 0, Math.floor(value / 2 ** 32) >>> 0);
    }
    /** The length of a list, then what `each` adds of its items. */
    list(items, each) {
        this.add(items.length);
        items.forEach(each);
    }
    /** A list of two small numbers and a time each. */
    triples(items) {
        this.list(items, ([first, second, time]) => {
            this.add(first, second);
            this.wide(time);
        });
    }
}
