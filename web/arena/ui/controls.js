// What there is to press below the stage: in the waiting room, in the fight, after it, and when the connection is gone
// for good.

import { el, say, show } from "./dom.js";
import { Keys } from "./keys.js";
import { Moves } from "./moves.js";

const NOTE_MS = 4000;
/** After the end the buttons wait this long, so that a last blow does not press one of them. */
const SETTLE_MS = 800;

export class Controls {
  #game;
  #arena;
  #noteUntil = 0;
  #endedAt = null;

  #ready = this.#button("primary", "Ready ", "R", () => this.#game.sayReady());
  #tab = el("a", { class: "secondary", target: "_blank", rel: "noopener" }, "Open a second tab");
  #copy = this.#button("secondary", "Copy link", null, () => this.#copyLink());
  #lobbyNote = el("p", { class: "move-note", role: "status" });
  #lobby = el(
    "div",
    {},
    el("div", { class: "actions-row" }, this.#ready, this.#tab, this.#copy),
    this.#lobbyNote,
  );

  #again = this.#button("primary", "Fight again ", "Enter", () => this.#arena.again());
  #home = this.#button("secondary", "Back to the gate", null, () => this.#arena.leave());
  #end = el("div", { class: "actions-row" }, this.#again, this.#home);

  #goneWords = el("p", { class: "notice", role: "alert" });
  #retry = this.#button("primary", "Try again", null, () => this.#arena.retry());
  #gone = el(
    "div",
    { class: "actions-row" },
    this.#goneWords,
    this.#retry,
    this.#button("secondary", "Back to the gate", null, () => this.#arena.leave()),
  );

  constructor(root, game, arena) {
    this.#game = game;
    this.#arena = arena;
    this.moves = new Moves(game);
    root.append(this.#lobby, this.moves.root, this.#end, this.#gone);
    game.addEventListener("refused", ({ detail }) => detail.kind === "ready" && this.#note(detail.words));
    new Keys(game, arena, this);
  }

  /** Attacks the rival in `slot`. */
  strike(slot) {
    this.#game.aim(slot);
    this.moves.press("attack");
  }

  /** Aims at the rival with this number on its plate. */
  pick(number) {
    const plate = document.querySelector(`.plates[data-side="foes"] > :nth-child(${number})`);
    if (plate) {
      this.#game.aim(Number(plate.dataset.slot));
    }
  }

  /** Starts another fight, once the last blow is forgotten. */
  again() {
    if (!this.#again.disabled) {
      this.#arena.again();
    }
  }

  /** Which of the groups of buttons is there. */
  get mode() {
    const game = this.#game;
    if (game.outcome) {
      return "end";
    }
    if (game.link.name === "closed") {
      return "gone";
    }
    if (game.view === null) {
      return "none";
    }
    return game.phase === "preparation" ? "lobby" : "fight";
  }

  /** Shows the game as it is. */
  render() {
    const { mode } = this;
    show(this.#lobby, mode === "lobby");
    show(this.moves.root, mode === "fight");
    show(this.#end, mode === "end");
    show(this.#gone, mode === "gone");
    if (mode !== "end") {
      this.#endedAt = null;
    }
    if (mode === "lobby") {
      this.#renderLobby();
    } else if (mode === "fight") {
      this.moves.render();
    } else if (mode === "end" && this.#endedAt === null) {
      this.#endedAt = performance.now();
      this.#again.disabled = this.#home.disabled = true;
    } else if (mode === "gone") {
      const { link } = this.#game;
      say(this.#goneWords, link.words);
      say(this.#retry, link.code === 4409 ? "Fight in this tab" : "Try again");
      show(this.#retry, link.again);
    }
  }

  /** Shows what changes by itself as time goes on. */
  frame(now) {
    if (this.#noteUntil !== 0 && now > this.#noteUntil) {
      this.#noteUntil = 0;
      say(this.#lobbyNote, "");
    }
    if (this.#endedAt !== null && this.#again.disabled && now - this.#endedAt > SETTLE_MS) {
      this.#again.disabled = this.#home.disabled = false;
      this.#again.focus();
    }
    if (this.mode === "fight" && this.#game.me) {
      this.moves.frame(now);
    }
  }

  #renderLobby() {
    const { game, ready, tab } = { game: this.#game, ready: this.#ready, tab: this.#tab };
    ready.disabled = game.ready || !game.live;
    say(ready.firstChild, game.ready ? "You are ready " : "Ready ");
    show(ready.lastChild, !game.ready);
    show(tab, !game.full);
    show(this.#copy, !game.full);
    tab.href = link(game.kind);
    const missing = game.view ? game.view.seats - game.seated : 1;
    say(tab, missing > 1 || (game.seats > 2 && missing > 0) ? "Open another tab" : "Open a second tab");
  }

  #note(words) {
    say(this.#lobbyNote, words);
    this.#noteUntil = performance.now() + NOTE_MS;
  }

  async #copyLink() {
    const address = link(this.#game.kind);
    try {
      await navigator.clipboard.writeText(address);
      this.#note("Copied. Whoever opens it rides with you.");
    } catch {
      this.#note(`Your browser does not let the page copy. The link is ${address}`);
    }
  }

  #button(style, words, key, action) {
    const button = el("button", { class: style, type: "button", on: { click: action } }, el("span", {}, words));
    if (key) {
      button.append(el("kbd", {}, key));
    }
    return button;
  }
}

/** The link that brings somebody else into the next fight of `kind`. */
function link(kind) {
  return new URL(`./#${kind}`, location.href).href;
}
