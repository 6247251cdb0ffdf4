// What there is to press below the stage: in the waiting room, in the fight, after it, and when the connection is gone
// for good. Also the keys, which do the same.

import { refusal } from "../words.js";
import { moveIcon } from "./art.js";
import { el, level, mark, say, show } from "./dom.js";

/** A move that was pressed this long before it is ready is kept and made as soon as it is. */
const KEEP_MS = 900;
const NOTE_MS = 2600;
/** After the end the buttons wait this long, so that a last blow does not press one of them. */
const SETTLE_MS = 800;

export class Controls {
  #game;
  #arena;
  #kept = null;
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

  #energyFill = el("span", { class: "bar-fill" });
  #energyMark = el("span", { class: "bar-mark" });
  #energyFigure = el("span", { class: "energy-figure" });
  #energy = el(
    "div",
    { class: "energy" },
    el("span", {}, "Stamina"),
    el("div", { class: "bar stamina" }, this.#energyFill, this.#energyMark),
    this.#energyFigure,
  );
  #moves = { attack: this.#move("attack", "Attack", "A"), defend: this.#move("defend", "Shield", "D") };
  #fight = el(
    "div",
    {},
    this.#energy,
    el(
      "div",
      { class: "moves" },
      ...Object.values(this.#moves).map(({ button, note }) => el("div", {}, button, note)),
    ),
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
    root.append(this.#lobby, this.#fight, this.#end, this.#gone);
    game.addEventListener("refused", ({ detail }) => this.#note(detail.kind, detail.words));
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Attacks the rival in `slot`. */
  strike(slot) {
    this.#game.aim(slot);
    this.#press("attack");
  }

  /** Shows the game as it is. */
  render() {
    const game = this.#game;
    const mode = modeOf(game);
    show(this.#lobby, mode === "lobby");
    show(this.#fight, mode === "fight");
    show(this.#end, mode === "end");
    show(this.#gone, mode === "gone");
    if (mode !== "end") {
      this.#endedAt = null;
    }
    if (mode === "lobby") {
      this.#renderLobby();
    } else if (mode === "fight") {
      this.#renderFight();
    } else if (mode === "end" && this.#endedAt === null) {
      this.#endedAt = performance.now();
      this.#again.disabled = this.#home.disabled = true;
    } else if (mode === "gone") {
      say(this.#goneWords, game.link.words);
      say(this.#retry, game.link.code === 4409 ? "Fight in this tab" : "Try again");
      show(this.#retry, game.link.again);
    }
  }

  /** Shows what changes by itself as time goes on, and makes the move that was kept. */
  frame(now) {
    if (this.#noteUntil !== 0 && now > this.#noteUntil) {
      this.#noteUntil = 0;
      for (const note of [this.#lobbyNote, this.#moves.attack.note, this.#moves.defend.note]) {
        say(note, "");
      }
    }
    if (this.#endedAt !== null && this.#again.disabled && now - this.#endedAt > SETTLE_MS) {
      this.#again.disabled = this.#home.disabled = false;
      this.#again.focus();
    }
    if (modeOf(this.#game) !== "fight" || !this.#game.me) {
      return;
    }
    this.#makeKept(now);
    const { rules } = this.#game.view;
    const stamina = this.#game.stamina(this.#game.slot);
    level(this.#energyFill, stamina / rules.stamina);
    say(this.#energyFigure, `${Math.floor(stamina)} / ${rules.stamina}`);
    for (const [kind, { button }] of Object.entries(this.#moves)) {
      const may = this.#game.can(kind);
      button.setAttribute("aria-disabled", String(!may.ok));
      button.style.setProperty("--charge", this.#charge(kind, may).toFixed(3));
    }
  }

  #charge(kind, may) {
    const { rules } = this.#game.view;
    if (may.ok) {
      return 1;
    }
    if (may.reason === "cooldown") {
      return 1 - may.waitMs / (kind === "attack" ? rules.attack_interval_ms : rules.defend_cooldown_ms);
    }
    return may.reason === "not_enough_stamina" ? this.#game.stamina(this.#game.slot) / rules.defend_cost : 0;
  }

  #renderLobby() {
    const { game, ready, tab } = { game: this.#game, ready: this.#ready, tab: this.#tab };
    ready.disabled = game.ready || !game.live;
    say(ready.firstChild, game.ready ? "You are ready " : "Ready ");
    show(ready.lastChild, !game.ready);
    show(tab, !game.full);
    show(this.#copy, !game.full);
    tab.href = link(game.kind);
    const missing = game.view ? game.view.seats - game.view.participants.length : 1;
    say(tab, missing > 1 || (game.seats > 2 && missing > 0) ? "Open another tab" : "Open a second tab");
  }

  #renderFight() {
    const { rules } = this.#game.view;
    const seconds = (ms) => `${Number((ms / 1000).toFixed(2))} s`;
    say(this.#moves.attack.hint, `Every ${seconds(rules.attack_interval_ms)}, costs no stamina`);
    say(this.#moves.defend.hint, `${seconds(rules.defend_ms)} of guard, ${rules.defend_cost} stamina`);
    this.#energyMark.style.left = `${(100 * rules.defend_cost) / rules.stamina}%`;
  }

  #press(kind) {
    const may = this.#game.act(kind);
    if (may.ok) {
      this.#kept = null;
      this.#note(kind, "");
    } else if (may.reason === "pending" || (may.reason === "cooldown" && may.waitMs < KEEP_MS)) {
      this.#kept = { kind, until: performance.now() + KEEP_MS + 100 };
    } else {
      this.#note(kind, refusal(may.reason, may.waitMs));
    }
  }

  #makeKept(now) {
    if (this.#kept === null) {
      return;
    }
    if (now > this.#kept.until || this.#game.act(this.#kept.kind).ok) {
      this.#kept = null;
    }
  }

  #note(kind, words) {
    say(this.#moves[kind]?.note ?? this.#lobbyNote, words);
    this.#noteUntil = performance.now() + NOTE_MS;
  }

  async #copyLink() {
    const address = link(this.#game.kind);
    try {
      await navigator.clipboard.writeText(address);
      this.#note("ready", "Copied. Whoever opens it rides against you.");
    } catch {
      this.#note("ready", `Your browser does not let the page copy. The link is ${address}`);
    }
  }

  #key(event) {
    const typing = event.target instanceof HTMLInputElement;
    if (typing || event.ctrlKey || event.metaKey || event.altKey || this.#arena.stage !== "fight") {
      return;
    }
    const onControl = event.target instanceof HTMLButtonElement || event.target instanceof HTMLAnchorElement;
    const key = event.key.toLowerCase();
    const act = this.#bound(modeOf(this.#game), key, event.repeat);
    if (act && !(key === "enter" && onControl)) {
      event.preventDefault();
      act();
    }
  }

  #bound(mode, key, repeat) {
    const game = this.#game;
    if (mode === "lobby" && (key === "r" || key === "enter") && !repeat) {
      return () => game.sayReady();
    }
    if (mode === "end" && key === "enter" && !repeat && !this.#again.disabled) {
      return () => this.#arena.again();
    }
    if (mode !== "fight") {
      return null;
    }
    if (key === "a" || key === "d") {
      return () => this.#press(key === "a" ? "attack" : "defend");
    }
    if (key >= "1" && key <= "9") {
      return () => game.aim(Number(key) - 1);
    }
    if (key === "arrowright" || key === "arrowleft") {
      return () => this.#aimNext(key === "arrowright" ? 1 : -1);
    }
    return null;
  }

  #aimNext(step) {
    const standing = this.#game.rivals.filter((slot) => this.#game.view.participants[slot].status !== "eliminated");
    const at = standing.indexOf(this.#game.target);
    if (standing.length > 0) {
      this.#game.aim(standing[(at + step + standing.length) % standing.length]);
    }
  }

  #button(style, words, key, action) {
    const button = el("button", { class: style, type: "button", on: { click: action } }, el("span", {}, words));
    if (key) {
      button.append(el("kbd", {}, key));
    }
    return button;
  }

  #move(kind, words, key) {
    const hint = el("span", { class: "move-hint" });
    const note = el("p", { class: "move-note", role: "status" });
    const button = el(
      "button",
      { class: "move", type: "button", data: { kind }, "aria-keyshortcuts": key, on: { click: () => this.#press(kind) } },
      el("span", { class: "move-sweep" }),
      moveIcon(kind),
      el("span", { class: "move-name" }, `${words} `, el("kbd", {}, key)),
      hint,
    );
    return { button, hint, note };
  }
}

/** Which of the groups of buttons is there. */
function modeOf(game) {
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

/** The link that brings somebody else into the next fight of `kind`. */
function link(kind) {
  return new URL(`./#${kind}`, location.href).href;
}
