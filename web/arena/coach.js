// The line that always says what to do next. It changes when there is something else to do, never by the second, so that
// it can be read aloud. No DOM.

import { callsign } from "./words.js";

/** What to do next; `touch` where there is no keyboard to name keys of. */
export function advice(stage, game, touch) {
  if (stage === "gate") {
    return touch ? "Choose a game to take a seat." : "Choose a game: press 1 for a duel, 2 for a brawl.";
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
  const missing = game.view.seats - game.view.participants.length;
  if (missing > 0) {
    const tabs = missing === 1 ? "a second tab" : `${missing} more tabs`;
    const whom = missing === 1 ? "an opponent" : `${missing} opponents`;
    const where = game.view.seats > 2 && missing === 1 ? "one more tab" : tabs;
    return `Open this page in ${where} to get ${whom}, or send somebody the link.`;
  }
  if (game.ready) {
    return "You are ready. The fight starts when everybody is, or when the countdown ends.";
  }
  return touch ? "Everybody is here. Tap Ready to start." : "Everybody is here. Press R or Enter when you are ready.";
}

function inTheFight(game, touch) {
  if (game.me.status === "eliminated") {
    return "You are out of the saddle. Watch how it ends.";
  }
  if (game.target === null) {
    return "Nobody is left to strike. Wait for the marshal.";
  }
  const name = callsign(game.view.participants[game.target].player);
  if (game.view.seats > 2) {
    return touch
      ? `Tap a rival to strike, Shield to guard. You aim at ${name}.`
      : `Pick a rival by number or click, press A to strike, D to guard. You aim at ${name}.`;
  }
  return touch ? `Tap ${name} to strike, Shield to guard.` : `Press A to strike ${name}, D to raise your shield.`;
}
