// What happened, in words: every event as a line of text, names and figures. The log shows it and reads it aloud. No DOM.

import { nameOf, sentence } from "./words.js";

/**
 * A line's parts, or `null` for what needs no words: text, `{slot}` with a name (`start` at the line's beginning), `{n}` for a
 * figure. `slot` of the line is whose colour it has.
 */
export function storyOf(event, { before, after, game }) {
  const told = LINES[event.k]?.(event, new Teller(game, after, before));
  return told ? { slot: event.by ?? event.to, parts: told } : null;
}

/** Names the things of one fight. */
class Teller {
  constructor(game, after, before) {
    this.game = game;
    this.after = after;
    this.before = before;
  }

  who(slot, start = false) {
    if (slot === undefined) {
      return start ? "Somebody" : "somebody";
    }
    const mine = slot === this.game.slot;
    return { slot, name: mine ? (start ? "You" : "you") : nameOf(this.after, this.game.rules, slot) };
  }

  /** A verb in the form that goes with whoever is in `slot`. */
  does(slot, you, other) {
    return slot === this.game.slot ? ` ${you}` : ` ${other}`;
  }

  ability(a) {
    return sentence(this.game.rules.abilities[a]?.name ?? "an ability");
  }

  effect(e) {
    return sentence(this.game.rules.effects[e]?.name ?? "an effect");
  }

  thing({ c, z }) {
    const { covers = [], hazards = [] } = this.game.rules.field ?? {};
    const thing = c === undefined ? hazards[z] : covers[c];
    return `the ${(thing?.name ?? "cover").replaceAll("_", " ")}`;
  }
}

const figure = (n) => ({ n: n ?? 0 });

const LINES = {
  hit: ({ by, to, n, crit, guarded, a, abs, react }, t) => [
    t.who(by, true),
    crit ? " crit " : " hit ",
    t.who(to),
    ...(a === undefined ? [] : [` with ${t.ability(a)}`]),
    " for ",
    figure(n),
    guarded ? " through the guard" : "",
    react ? ", and it reacts" : "",
    abs ? `, ${abs} of it absorbed` : "",
  ],
  missed: ({ by, to }, t) => [t.who(by, true), " missed ", t.who(to)],
  suffered: ({ to, n, e }, t) => [t.who(to, true), " took ", figure(n), ` from ${t.effect(e)}`],
  burned: ({ to, n, z }, t) => [t.who(to, true), " took ", figure(n), ` from ${t.thing({ z })}`],
  healed: ({ by, to, n }, t) =>
    by === to || by === undefined
      ? [t.who(to, true), " got ", figure(n), " health back"]
      : [t.who(by, true), " gave ", t.who(to), " ", figure(n), " health"],
  guard: ({ by }, t) => [t.who(by, true), t.does(by, "raise", "raises"), by === t.game.slot ? " your guard" : " the guard"],
  casting: ({ by, a }, t) => [t.who(by, true), t.does(by, "begin", "begins"), ` ${t.ability(a)}`],
  broken: ({ by, a }, t) => [t.who(by, true), by === t.game.slot ? " were" : " was", ` broken off in ${t.ability(a)}`],
  used: ({ by, a, to }, t) => [
    t.who(by, true),
    t.does(by, "use", "uses"),
    ` ${t.ability(a)}`,
    ...(to === undefined || to === by ? [] : [" on ", t.who(to)]),
  ],
  affected: ({ to, e, st }, t) => [
    t.who(to, true),
    to === t.game.slot ? " are" : " is",
    ` under ${t.effect(e)}`,
    st > 1 ? ` ×${st}` : "",
  ],
  faded: ({ to, e }, t) => (to === t.game.slot ? [`${t.effect(e)} wears off`] : null),
  struck: ({ by, n, ...thing }, t) => [t.who(by, true), " hit ", t.thing(thing), " for ", figure(n)],
  destroyed: (event, t) => [sentence(t.thing(event)), event.z === undefined ? " breaks" : " goes off"],
  eliminated: ({ by, to }, t) => [t.who(by, true), " unhorsed ", t.who(to)],
  perished: ({ to }, t) => [t.who(to, true), to === t.game.slot ? " are out" : " is out"],
  revived: ({ by, to }, t) => [t.who(by, true), " brought ", t.who(to), " back"],
  seated: ({ by }, t) => [t.who(by, true), t.does(by, "take", "takes"), " a seat"],
  spawned: ({ by }, t) => [t.who(by, true), " comes"],
  enraged: ({ by, st }, t) => {
    const { enemy } = t.after.participants[by] ?? {};
    const phase = t.game.rules.enemies[enemy]?.phases?.[st];
    return [t.who(by, true), phase ? ` turns to ${phase.replaceAll("_", " ")}` : " changes"];
  },
  ready: ({ by }, t) => [t.who(by, true), by === t.game.slot ? " are ready" : " is ready"],
  connected: ({ by, why }, t) =>
    why === "replaced" ? null : [t.who(by, true), by === t.game.slot ? " are" : " is", why === "returned" ? " back" : " here"],
  disconnected: ({ by, why }, t) => [t.who(by, true), why === "left" ? " left" : " lost the connection"],
  forfeited: ({ by }, t) => [t.who(by, true), t.does(by, "give up", "gives up")],
  turn: ({ by }, t) => (by === t.game.slot ? ["It is your turn"] : ["It is the turn of ", t.who(by)]),
  round: ({ st, team }, t) => {
    const whose = team === undefined ? ", and nobody won it" : team === t.game.me?.team ? ": your side won it" : ": your side lost it";
    return [`Round ${st} is over${whose}`];
  },
  phase: (_, t) => phaseParts(t.before.phase, t.after.phase),
};

function phaseParts(before, after) {
  if (after.status === "paused") {
    return ["The fight is paused"];
  }
  if (before.status === "paused") {
    return ["The fight goes on"];
  }
  if (before.phase !== "active" && after.phase === "active") {
    return [after.round > 0 ? `Round ${after.round + 1} starts` : "The fight starts"];
  }
  if (before.phase === "active" && after.phase !== "active") {
    return after.end === undefined && after.phase === "cooldown" ? null : ["The fight is over"];
  }
  const counts = after.phase === "preparation" && after.until !== undefined;
  return counts && before.phase === "preparation" ? ["Everybody is here: the countdown runs"] : null;
}
