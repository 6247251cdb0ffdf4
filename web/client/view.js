// The view of a fight: a snapshot and the deltas after it, with the digest as the proof that it has not drifted.
import { digest, isKnown } from "./digest.js";
/** A participant of whom nothing is shown. */
const NOTHING = {
    status: "active",
    ready: false,
    score: 0,
    phase: 0,
    hp: 0,
    armor: 0,
    shield: 0,
    stamina: 0,
    stamina_at: 0,
    stamina_rate: 0,
    guard_until: 0,
    state: 0,
    x: 0,
    y: 0,
    effects: [],
    cast: [],
    energy: 0,
    energy_at: 0,
    energy_rate: 0,
    charge: 0,
    ammo: 0,
    reload_at: 0,
    used: [],
};
/** Why a view is no longer to be trusted. */
export class Drift extends Error {
    kind;
    name = "Drift";
    constructor(kind, message) {
        super(message);
        this.kind = kind;
    }
}
/** The view of a snapshot; throws `Drift` where its digest is wrong. */
export function viewOf(snapshot) {
    check(snapshot.view, snapshot.h);
    return snapshot.view;
}
/** The view after `delta`, which must be the one after sequence `q`; `view` stays as it was. Throws `Drift`. */
export function apply(view, q, delta) {
    if (delta.q !== q + 1) {
        throw new Drift("gap", `delta ${delta.q} came where ${q + 1} was due`);
    }
    const after = { ...view, participants: view.participants.slice(0, delta.n) };
    for (const patch of delta.p ?? []) {
        after.participants[patch.i] = patched(after.participants, patch);
    }
    if (delta.ph) {
        after.phase = delta.ph;
    }
    if (delta.c) {
        after.covers = view.covers.slice();
        delta.c.forEach(([cover, health]) => (after.covers[cover] = health));
    }
    if (delta.z) {
        after.hazards = view.hazards.slice();
        delta.z.forEach(([hazard, health, gone]) => (after.hazards[hazard] = [health, gone]));
    }
    if (delta.m) {
        after.modifiers = delta.m;
    }
    if (delta.h !== undefined) {
        check(after, delta.h);
    }
    return after;
}
function patched(participants, { i, ...patch }) {
    const before = participants[i];
    if (patch.player !== undefined && i <= participants.length) {
        return atRest({ ...NOTHING, player: patch.player, team: 0, ...patch });
    }
    if (before === undefined) {
        throw new Drift("slot", `a delta names slot ${i}, which is not in the view`);
    }
    if (patch.hidden) {
        const { player, team, status, ready, score } = before;
        return atRest({ ...NOTHING, player, team, status, ready, score, ...patch });
    }
    return atRest({ ...before, ...patch });
}
/** Facing and velocity are absent where they are 0, as in a snapshot. */
function atRest(participant) {
    for (const field of ["f", "vx", "vy"]) {
        if (participant[field] === 0) {
            delete participant[field];
        }
    }
    return participant;
}
function check(view, h) {
    const here = digest(view);
    if (here !== h && isKnown(view)) {
        throw new Drift("digest", `digest ${here} here, ${h} at the server`);
    }
}
