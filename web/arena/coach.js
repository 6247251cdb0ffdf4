// The line that always says what to do next. It changes when there is something else to do, never by the second, so that
// it can be read aloud. No DOM.

import { bindingsOf } from "./bindings.js";
import { nameOf, sentence } from "./words.js";

/** What to do next; `touch` where there is no keyboard to name keys of. */
export function advice(stage, game, touch) {
  if (stage === "gate") {
    return touch ? "Choose a game to take a seat." : "Choose a game: press 1 for a duel, 2 for a brawl, 3 to 5 for the rest.";
  }
  if (stage === "entering") {
    return "Finding you a seat. This takes a moment.";
  }
  if (game.outcome) {
    return touch ? "Tap Fight again for another round." : "Press Enter to fight again.";
  }
  if (game.link.name === "closed") {
    return game.link.again ? "Take the fight back here, or go back to the gate." : "Go back to the gate to start another.";
  }
  if (game.view === null) {
    return "Connecting to the fight. This takes a moment.";
  }
  if (!game.live) {
    return "The connection broke. The page comes back by itself; your seat and your moves are kept.";
  }
  if (game.paused) {
    return "The fight is paused and its clocks stand still. Wait for it to go on.";
  }
  return game.phase === "preparation" ? beforeTheFight(game, touch) : inTheFight(game, touch);
}

function beforeTheFight(game, touch) {
  const missing = game.view.seats - game.seated;
  if (missing > 0) {
    const tabs = missing === 1 ? "a second tab" : `${missing} more tabs`;
    const whom = game.view.seats === 2 ? "an opponent" : missing === 1 ? "another rider" : `${missing} more riders`;
    const where = game.view.seats > 2 && missing === 1 ? "one more tab" : tabs;
    return `Open this page in ${where} to get ${whom}, or send somebody the link.`;
  }
  if (game.ready) {
    return "You are ready. The fight starts when everybody is, or when the countdown ends.";
  }
  return touch ? "Everybody is here. Tap Ready to start." : "Everybody is here. Press R or Enter when you are ready.";
}

function inTheFight(game, touch) {
  if (game.phase === "cooldown") {
    return "The round is over. The next one is on its way.";
  }
  if (game.me.status === "eliminated") {
    return "You are out of the saddle. Watch how it ends.";
  }
  const { turn } = game.view.phase;
  if (turn !== undefined && turn !== game.slot) {
    return `It is the turn of ${nameOf(game.view, game.rules, turn)}. Yours will come.`;
  }
  if (game.target === null) {
    return game.rivals.some((slot) => game.view.participants[slot].status !== "eliminated")
      ? "Nobody is in sight. Walk until you see somebody."
      : game.rules.enemies?.length > 0 && game.rules.mode === "pve"
        ? "Nobody is here yet. The next ones are on their way."
        : "Nobody is left to strike. Wait for the marshal.";
  }
  const { me, rules } = game;
  if (me.cast.length > 0 && me.cast[1] > game.time) {
    return `${sentence(rules.abilities[me.cast[0]]?.name ?? "It")} is on its way.`;
  }
  const name = nameOf(game.view, rules, game.target);
  const guard = bindingsOf(rules).defend;
  if (touch) {
    return game.crowded
      ? `Tap a rival to strike, the ground to walk. You aim at ${name}.`
      : `Tap ${name} to strike, the ground to walk, Guard to guard.`;
  }
  return game.crowded
    ? `Tab or a click picks a rival, Space strikes, ${guard} guards, WASD walks. You aim at ${name}.`
    : `Press Space to strike ${name}, ${guard} to guard, WASD to walk.`;
}
