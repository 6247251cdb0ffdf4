// Puts the arena together and starts it. `window.tiltyard` shows the game to tests and to the curious.

import { Hub, connect } from "../client/index.js";
import { Arena } from "./arena.js";
import { Game } from "./game.js";
import { openSocket } from "./socket.js";
import { Store } from "./store.js";
import { App, fail } from "./ui/app.js";
import { loadArt } from "./ui/art.js";

const game = new Game();
const dial = (options) => connect({ ...options, env: { socket: openSocket } });
const hub = new Hub(".");
const arena = new Arena({ hub, store: new Store(), game, dial });
window.tiltyard = { game, hub };

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
  // Known before this node is gone; where it is alone, there is nowhere else to go.
  hub.discover().catch(() => {});
  await arena.start(takeWish());
} catch (error) {
  fail(error);
  throw error;
}
