// Puts the arena together and starts it. `window.tiltyard` shows the game to tests and to the curious.

import { Api } from "./api.js";
import { Arena } from "./arena.js";
import { Connection } from "./connection.js";
import { Game } from "./game.js";
import { Store } from "./store.js";
import { App, fail } from "./ui/app.js";
import { loadArt } from "./ui/art.js";

const game = new Game();
const arena = new Arena({ api: new Api(), store: new Store(), game, dial: (options) => new Connection(options) });
window.tiltyard = { game };

/** What a link asks for (`#duel`), once: a reload must not ask again. */
function takeWish() {
  const wish = location.hash.slice(1);
  if (wish) {
    history.replaceState(null, "", location.pathname + location.search);
  }
  return wish;
}

try {
  await loadArt();
  new App(game, arena);
  // From here on keys and clicks are heard.
  window.tiltyard.ready = true;
  addEventListener("online", () => arena.hasten());
  addEventListener("hashchange", () => arena.enter(takeWish()));
  arena.look();
  await arena.start(takeWish());
} catch (error) {
  fail(error);
  throw error;
}
