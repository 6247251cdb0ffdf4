// What the page says in words: why something was refused, how a fight ended, what a rider is called. No DOM.

import { comesBack } from "../client/index.js";

/** The close code of who joined from a newer connection. */
const REPLACED = 4409;

const REFUSED = {
  not_joined: "The server has not let you in yet.",
  already_joined: "You are in already.",
  session_ended: "The fight is over.",
  wrong_phase: "Not now: the fight is not on.",
  paused: "The fight is paused.",
  eliminated: "You are out of the saddle.",
  stale_action_id: "The server has already forgotten this one.",
  bad_action_id: "The server could not number this one.",
  action_unavailable: "This fight's rules have no such move.",
  needs_target: "Choose a rival first.",
  no_such_target: "There is nobody in that seat.",
  invalid_target: "That rider cannot be struck.",
  cooldown: "Not ready yet.",
  not_enough_stamina: "Not enough stamina.",
  rate_limited: "Too many moves at once.",
  too_many_requests: "Too many requests at once. Try again in a moment.",
  overloaded: "The server has more work than it can take. Try again.",
  fenced: "Another server has the fight now. Try again.",
  log_unavailable: "The server cannot write its log, so it takes no moves. Try again.",
  timeout: "The server did not answer in time. Try again.",
  draining: "The server is shutting down.",
  forbidden: "This token may not do that.",
  unauthorized: "This token is not valid.",
  session_full: "Every seat is taken.",
  too_many_sessions: "The server has all the fights it can hold. Try again later.",
  internal: "Something went wrong inside the server.",
  not_enough_energy: "Not enough energy.",
  not_enough_charge: "Not charged yet: deal damage.",
  not_enough_ammo: "No shots left.",
  reloading: "Reloading.",
  used_up: "Used up for this round.",
  needs_place: "Point at a place first.",
  out_of_range: "Out of range: go nearer.",
  no_sight: "Something is in the way.",
  too_fast: "Too fast.",
  out_of_bounds: "That is outside the arena.",
  blocked: "Something is in the way.",
  stunned: "You are stunned.",
  denied: "An effect keeps you from it.",
  busy: "You are busy.",
  not_your_turn: "It is not your turn.",
  // Reasons of the page itself.
  offline: "Not connected: your move waits for you.",
  pending: "On its way.",
};

/** A refusal in words; `retryMs` is when the same would be taken. */
export function refusal(reason, retryMs) {
  const words = REFUSED[reason] ?? `${sentence(reason)}.`;
  return retryMs ? `${words} Again in ${(retryMs / 1000).toFixed(1)} s.` : words;
}

/** By the close codes of docs/PROTOCOL.md, and 4403, by which the client calls a refusal to let it in. */
const CLOSED_BECAUSE = {
  1000: "The connection was closed.",
  1002: "The server does not speak this page's protocol.",
  1003: "The server does not speak this page's encoding.",
  1007: "The server could not read what this page sent.",
  1009: "This page sent a message that was too big.",
  4400: "The server understood too little of what this page sent.",
  4401: "Your token is not valid any more.",
  4403: "You may not take part in this fight.",
  4404: "This fight does not exist any more.",
  4409: "You opened this fight in another tab.",
  4410: "This fight has ended.",
};

/** Why a fight's connection is closed for good, in words, and whether the player may try `again`. */
export function closed({ code }) {
  // The client has tried to come back for a while and has given up.
  const unreachable = comesBack(code);
  const words = unreachable ? "The server could not be reached." : CLOSED_BECAUSE[code];
  return { words: words ?? `The connection was closed (code ${code}).`, again: unreachable || code === REPLACED };
}

const ENDED = {
  last_standing: "One rider was left in the saddle.",
  time_limit: "The time was up.",
  forfeit: "All others gave up or did not come back.",
  terminated: "The marshal ended the fight.",
  completed: "The marshal closed the fight.",
  abandoned: "Nobody came to fight it, or nobody stayed.",
  failed: "The server could not go on with this fight.",
  score_limit: "The score was reached.",
  rounds_won: "Most of the rounds were won.",
  cleared: "Every enemy was beaten.",
  survived: "You held out to the end.",
  defeated: "The enemies beat you all.",
  not_ready: "Not everybody was ready.",
  pause_limit: "The marshal stopped the fight and nobody let it go on.",
};

/** Why a fight ended, in words. */
export function ending(reason) {
  return ENDED[reason] ?? "The fight is over.";
}

const FIRST = [
  "Neon", "Iron", "Static", "Velvet", "Cobalt", "Ember", "Hollow", "Argent", "Vagrant", "Cinder", "Quiet", "Copper",
  "Midnight", "Feral", "Gilded", "Solar", "Rogue", "Onyx", "Scarlet", "Arc", "Pale", "Wired", "Thorn", "Echo",
  "Lucid", "Rusted", "Crystal", "Savage", "Distant", "Royal", "Phantom", "Amber",
];
const LAST = [
  "Falcon", "Lance", "Griffin", "Halberd", "Wolf", "Paladin", "Heron", "Bastion", "Viper", "Templar", "Raven", "Stag",
  "Herald", "Lynx", "Gauntlet", "Wyvern", "Squire", "Boar", "Vizier", "Hornet", "Dagger", "Unicorn", "Warden", "Fox",
  "Baron", "Mastiff", "Kestrel", "Crown", "Basilisk", "Pike", "Marshal", "Leopard",
];

/** The name a player rides under, the same on every screen. */
export function callsign(player) {
  const bits = parseInt(player.slice(-8), 16);
  return `${FIRST[(bits >>> 3) % FIRST.length]} ${LAST[(bits >>> 11) % LAST.length]}`;
}

/** Minutes and seconds. */
export function clockFace(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** A name of the rules, as it begins a sentence. */
export function sentence(name) {
  const words = String(name).replaceAll(/[_-]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What the participant in `slot` is called; enemies of one kind are numbered. */
export function nameOf(view, rules, slot) {
  const participant = view.participants[slot];
  if (!participant) {
    return `Seat ${slot + 1}`;
  }
  if (participant.enemy === undefined) {
    return slot < view.seats ? riderName(view, slot) : "Somebody unseen";
  }
  const same = view.participants.map(({ enemy }, i) => [enemy, i]).filter(([enemy]) => enemy === participant.enemy);
  const number = same.length > 1 ? ` ${same.findIndex(([, i]) => i === slot) + 1}` : "";
  return sentence(rules.enemies[participant.enemy]?.name ?? "enemy") + number;
}

const NUMERALS = ["", " II", " III", " IV", " V", " VI"];

/** A callsign; who came later under the same one has a numeral. */
function riderName({ participants }, slot) {
  const name = callsign(participants[slot].player);
  const before = participants.slice(0, slot).filter(({ player }) => callsign(player) === name).length;
  return name + (NUMERALS[before] ?? ` ${before + 1}`);
}

/** Milliseconds as seconds, with a tenth where there are few. */
export function seconds(ms) {
  return ms < 9950 ? `${(Math.max(0, ms) / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}
