// What the player can do in the fight: what there is to spend, where attacks go to, and a button for every move.

import { bindingsOf } from "../bindings.js";
import { refusal } from "../words.js";
import { el, say } from "./dom.js";
import { Gauges } from "./gauges.js";
import { MoveButton } from "./move.js";

/** A move that was pressed this long before it is ready is kept and made as soon as it is. */
const KEEP_MS = 900;
const NOTE_MS = 2600;
const PARTS = [["head", "Head"], ["torso", "Body"], ["limb", "Limb"]];

export class Moves {
  #game;
  #rules = null;
  #buttons = [];
  #keys = bindingsOf(null);
  #kept = null;
  #noteUntil = 0;
  #gauges = new Gauges();
  #parts = PARTS.map(([part, words]) =>
    el(
      "button",
      {
        class: "part",
        type: "button",
        data: { part },
        on: { click: () => this.aimAt(part), mousedown: (event) => event.preventDefault() },
      },
      words,
      el("kbd", {}),
    ),
  );
  #row = el("div", { class: "moves" });
  #note = el("p", { class: "move-note", role: "status" });
  root = el(
    "div",
    { class: "fight" },
    el(
      "div",
      { class: "fight-head" },
      this.#gauges.root,
      el("div", { class: "parts", role: "group", "aria-label": "Aim attacks at" }, ...this.#parts),
    ),
    this.#row,
    this.#note,
  );

  constructor(game) {
    this.#game = game;
    game.addEventListener("refused", ({ detail }) => this.note(detail.words));
  }

  /** Shows the game as it is. */
  render() {
    const game = this.#game;
    if (this.#rules !== game.rules) {
      this.#rules = game.rules;
      this.#keys = bindingsOf(game.rules);
      this.#buttons = movesOf(game, this.#keys).map((move) => new MoveButton(move, () => this.press(move.kind, move.a)));
      this.#row.replaceChildren(...this.#buttons.map(({ root }) => root));
      this.#row.style.setProperty("--moves", this.#buttons.length);
    }
    for (const button of this.#parts) {
      const { part } = button.dataset;
      button.setAttribute("aria-pressed", String(part === game.part));
      say(button.lastElementChild, this.#keys[part] ?? "");
    }
  }

  /** Shows what changes by itself as time goes on, and makes the move that was kept. */
  frame(now) {
    if (this.#noteUntil !== 0 && now > this.#noteUntil) {
      this.#noteUntil = 0;
      say(this.#note, "");
    }
    this.#makeKept(now);
    this.#gauges.frame(this.#game);
    this.#buttons.forEach((button) => button.frame(this.#game));
  }

  /** Makes a move, keeps it where it will be ready in a moment, or says why not. */
  press(kind, a) {
    const may = this.#game.act(kind, a);
    if (may.ok) {
      this.#kept = null;
      this.note("");
    } else if (may.reason === "pending" || (may.reason === "cooldown" && may.waitMs < KEEP_MS)) {
      this.#kept = { kind, a, until: performance.now() + KEEP_MS + 100 };
    } else {
      this.note(refusal(may.reason, may.waitMs));
    }
  }

  /** Strikes a cover or a hazard. */
  strikeThing(thing) {
    const may = this.#game.strikeThing(thing);
    if (!may.ok && may.reason !== "cooldown" && may.reason !== "pending") {
      this.note(refusal(may.reason, may.waitMs));
    }
  }

  /** Makes attacks go to this part of the body. */
  aimAt(part) {
    this.#game.part = part;
    this.render();
  }

  /** The move on this key, if there is one. */
  onKey(key) {
    return this.#buttons.find(({ move }) => move.key.toLowerCase() === key)?.move ?? null;
  }

  /** The part of the body that attacks go to while this key is held, if it is such a key. */
  partOn(key) {
    return PARTS.map(([part]) => part).find((part) => this.#keys[part]?.toLowerCase() === key) ?? null;
  }

  /** Says something below the moves, for a moment. */
  note(words) {
    say(this.#note, words);
    this.#noteUntil = performance.now() + NOTE_MS;
  }

  /** Puts the keys' focus on the first move. */
  focus() {
    this.#buttons[0]?.root.focus();
  }

  #makeKept(now) {
    if (this.#kept && (now > this.#kept.until || this.#game.act(this.#kept.kind, this.#kept.a).ok)) {
      this.#kept = null;
    }
  }
}

function movesOf({ rules, kit }, keys) {
  const attack = {
    kind: "attack",
    name: "attack",
    key: keys.attack,
    icon: "attack",
    hint: rules.ammo > 0 ? "One shot" : `Every ${short(rules.attack_interval_ms)}`,
    cooldownMs: rules.attack_interval_ms,
  };
  const defend = {
    kind: "defend",
    name: "guard",
    key: keys.defend,
    icon: "defend",
    hint: `${short(rules.defend_ms)}, ${rules.defend_cost} stamina`,
    cooldownMs: rules.defend_cooldown_ms,
  };
  return [attack, defend, ...kit.map((ability) => moveOf(ability, keys.kit.get(ability.a)))];
}

function moveOf({ a, kind, name, cost, cooldown_ms: cooldownMs, uses, shape, affects, cast_ms: cast }, key) {
  const pays = Object.entries(cost ?? {}).map(([resource, points]) => `${points} ${resource}`);
  const takes = cast > 0 ? [`${short(cast)} to do`] : [];
  return {
    kind: kind === "item" ? "item_use" : "ability",
    tone: kind === "item" ? "item" : "ability",
    a,
    name,
    key,
    icon: iconOf(name, kind, shape, affects),
    hint: [...pays, ...takes].join(", ") || `Every ${short(cooldownMs)}`,
    uses: uses ?? 0,
    cooldownMs,
  };
}

/** The picture of an ability: by what its name says, else by what it does. */
function iconOf(name, kind, shape, affects) {
  const known = ["time", "berserk", "pulse", "jam", "shield", "finish", "dash", "medkit", "stim", "revive"];
  const named = known.find((word) => name.includes(word));
  if (named) {
    return named;
  }
  const byShape = { area: "pulse", cone: "pulse", line: "dash" }[shape];
  return kind === "item" ? "medkit" : affects === "allies" || affects === "own" ? "shield" : byShape ?? "finish";
}

function short(ms) {
  return `${Number((ms / 1000).toFixed(1))} s`;
}
