// Whom and where an ability goes to: what the player has picked where the ability takes it, and else what is most likely
// meant. No DOM.

import { distance } from "./geometry.js";
import { healthOf } from "./rules.js";

/** How far a dash or the like goes where the player has pointed nowhere. */
const AHEAD_CM = 1000;

/** `{ok, to?, x?, y?}` for an ability of the kit, or `{ok: false, reason}`. */
export function aimOf(game, ability) {
  const needsSomebody = ability.shape === "single" && ability.affects !== "own";
  if (needsSomebody) {
    const to = somebody(game, ability);
    if (to === null) {
      return { ok: false, reason: "needs_target" };
    }
    const far = distance(game.place, game.view.participants[to]) > ability.range_cm;
    return far && to !== game.slot ? { ok: false, reason: "out_of_range" } : { ok: true, to };
  }
  // A dash is one's own affair and needs a place all the same; what needs none does not mind.
  const range = ability.range_cm || (ability.affects === "own" ? AHEAD_CM : 0);
  return range === 0 ? { ok: true } : { ok: true, ...within(game, somewhere(game, ability), range) };
}

/** The slot a single-target ability goes to; `null` for nobody. */
function somebody(game, { affects, range_cm: range }) {
  const taken = (slot) => takes(game, affects, slot);
  if (game.target !== null && taken(game.target)) {
    return game.target;
  }
  const { participants } = game.view;
  const reach = (slot) => slot === game.slot || distance(game.place, participants[slot]) <= range;
  const share = (slot) => participants[slot].hp / healthOf(participants[slot], game.rules);
  const all = participants.map((_, slot) => slot).filter(taken);
  const near = all.filter(reach);
  // Of allies the one who needs it most, and of those who are out of reach any: the refusal says why not.
  return near.sort((a, b) => share(a) - share(b))[0] ?? all[0] ?? null;
}

function takes(game, affects, slot) {
  const { hidden, status } = game.view.participants[slot];
  const fallen = status === "eliminated";
  switch (affects) {
    case "allies":
      return !game.isFoe(slot) && !fallen;
    case "fallen":
      return !game.isFoe(slot) && fallen;
    case "others":
      return slot !== game.slot && !fallen && !hidden;
    default:
      return game.isFoe(slot) && !fallen && !hidden;
  }
}

/** The place an area, a line, a cone or a dash goes to. */
function somewhere(game, { affects }) {
  const aimed = game.target === null ? null : game.view.participants[game.target];
  if (affects !== "own" && aimed && !aimed.hidden) {
    return aimed;
  }
  const pointed = game.walk.steers ? null : game.pointed;
  return pointed ?? { x: game.place.x + game.heading.x * AHEAD_CM, y: game.place.y + game.heading.y * AHEAD_CM };
}

/** The place, or the furthest on the way there that the ability reaches and the field has. */
function within({ place, rules }, to, range) {
  const share = Math.min(1, (range * 0.98) / Math.max(1, distance(place, to)));
  const bound = (value, most) => Math.round(Math.min(most, Math.max(0, value)));
  return {
    x: bound(place.x + (to.x - place.x) * share, rules.field.width_cm),
    y: bound(place.y + (to.y - place.y) * share, rules.field.height_cm),
  };
}
