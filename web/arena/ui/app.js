// The page as a whole: which of its parts are shown, the line that says what to do, the title of the tab, and the loop
// that moves what moves by itself.

import { advice } from "../coach.js";
import { Controls } from "./controls.js";
import { el, say, show, touch } from "./dom.js";
import { Gate } from "./gate.js";
import { verdict } from "./result.js";
import { Side, renderPill } from "./side.js";
import { Stage } from "./stage.js";

export class App {
  #game;
  #arena;
  #gate;
  #stage;
  #controls;
  #side;
  #queued = false;
  #screen = null;
  #leaveAsked = false;
  #parts = Object.fromEntries(
    ["gate", "field", "side", "coach", "leave", "link-pill", "stage", "actions", "main"].map((id) => [
      id,
      document.getElementById(id),
    ]),
  );

  constructor(game, arena) {
    this.#game = game;
    this.#arena = arena;
    this.#gate = new Gate(this.#parts.gate, arena);
    this.#controls = new Controls(this.#parts.actions, game, arena);
    this.#stage = new Stage(this.#parts.stage, game, {
      onStrike: (slot) => this.#controls.strike(slot),
      onThing: (thing) => this.#controls.moves.strikeThing(thing),
    });
    this.#side = new Side(this.#parts.side, game);
    this.#parts.leave.addEventListener("click", () => this.#leave());
    game.addEventListener("change", () => this.#queue());
    arena.addEventListener("change", () => this.#queue());
    this.#render();
    requestAnimationFrame((now) => this.#frame(now));
  }

  /** Renders once for all changes of a turn; also in a tab that nobody looks at, for its title tells of the fight. */
  #queue() {
    if (!this.#queued) {
      this.#queued = true;
      queueMicrotask(() => {
        this.#queued = false;
        this.#render();
      });
    }
  }

  #render() {
    const [game, arena] = [this.#game, this.#arena];
    const screen = arena.stage === "fight" ? "field" : "gate";
    if (screen !== this.#screen) {
      this.#turnTo(screen);
    }
    const inFight = screen === "field" && game.outcome === null;
    say(this.#parts.coach, advice(arena.stage, game, touch()));
    show(this.#parts.leave, inFight && game.link.name !== "closed");
    say(this.#parts.leave, this.#leaveAsked ? "Really give up?" : game.phase === "active" ? "Give up" : "Leave");
    renderPill(this.#parts["link-pill"], game, screen === "field", arena.refuge);
    document.title = titleOf(arena.stage, game);
    if (screen === "gate") {
      this.#gate.render();
    }
    this.#stage.render();
    if (screen === "field") {
      this.#controls.render();
      this.#side.render();
    }
  }

  #turnTo(screen) {
    const first = this.#screen === null;
    this.#screen = screen;
    this.#leaveAsked = false;
    document.body.dataset.screen = screen;
    show(this.#parts.gate, screen === "gate");
    show(this.#parts.field, screen === "field");
    show(this.#parts.side, screen === "field");
    if (!first) {
      scrollTo(0, 0);
      this.#parts.main.focus({ preventScroll: true });
    }
  }

  #frame(now) {
    if (this.#screen === "field") {
      this.#stage.frame(now);
      this.#controls.frame(now);
    }
    requestAnimationFrame((next) => this.#frame(next));
  }

  /** In a fight the first press asks, for a seat that is left is lost. */
  #leave() {
    if (this.#game.phase === "active" && !this.#leaveAsked) {
      this.#leaveAsked = true;
      this.#queue();
      setTimeout(() => {
        this.#leaveAsked = false;
        this.#queue();
      }, 3000);
      return;
    }
    this.#leaveAsked = false;
    this.#arena.leave();
  }
}

/** Says in a page that cannot start why it cannot. */
export function fail(error) {
  const words = `The arena could not start: ${error.message}. Reload the page to try again.`;
  document.getElementById("main").prepend(el("p", { class: "notice", role: "alert" }, words));
}

function titleOf(stage, game) {
  if (stage !== "fight" || game.view === null) {
    return "Tiltyard";
  }
  if (game.outcome) {
    const [, title] = verdict(game.outcome, game);
    return `${title} · Tiltyard`;
  }
  if (game.phase === "preparation") {
    return `${game.full ? "Get ready" : `${game.seated} of ${game.view.seats}`} · Tiltyard`;
  }
  return `${game.me.hp} health · Tiltyard`;
}
