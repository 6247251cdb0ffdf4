// The view of a fight: rebuilt from a snapshot and the deltas after it, with the digest as the proof that it did not
// drift. What fog hides is at nothing here, as the server has it. No DOM, no socket, no clock.

import { digest } from "./digest.js";

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
  const after = { ...view, participants: view.participants.slice(0, delta.n) };
  for (const patch of delta.p ?? []) {
    after.participants[patch.i] = patched(after.participants, patch);
  }
  if (delta.ph) {
    after.phase = delta.ph;
  }
  if (delta.c) {
    after.covers = replaced(view.covers, delta.c);
  }
  if (delta.z) {
    after.hazards = replaced(view.hazards, delta.z.map(([hazard, hp, gone]) => [hazard, [hp, gone]]));
  }
  if (delta.m) {
    after.modifiers = delta.m;
  }
  if (delta.h !== undefined) {
    check(digest(after), delta.h);
  }
  return after;
}

function patched(participants, { i, ...patch }) {
  const before = participants[i];
  if (patch.player !== undefined && i <= participants.length) {
    return { ...NOTHING, team: 0, ...patch };
  }
  if (before === undefined) {
    throw new Drift("slot", `the delta names slot ${i}, which is not in the view`);
  }
  if (patch.hidden) {
    const { player, team, status, ready, score } = before;
    return { ...NOTHING, player, team, status, ready, score, ...patch };
  }
  return { ...before, ...patch };
}

function replaced(list, changes) {
  const after = list.slice();
  for (const [place, value] of changes) {
    after[place] = value;
  }
  return after;
}

function check(here, server) {
  if (here !== server) {
    throw new Drift("digest", `digest ${here} here, ${server} at the server`);
  }
}
