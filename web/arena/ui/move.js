// One move's button: icon, name, key, what it costs, how it recovers, and why it cannot be made now.

import { refusal, seconds, sentence } from "../words.js";
import { moveIcon } from "./art.js";
import { el, mark, say, set } from "./dom.js";

/** A wait this short is not counted down on the button: it is over before it is read. */
const COUNTED_MS = 900;

export class MoveButton {
  #sweep = el("span", { class: "move-sweep" });
  #wait = el("span", { class: "move-wait", "aria-hidden": "true" });
  #left = el("span", { class: "move-left" });
  #hint = el("span", { class: "move-hint" });
  #cooldownMs;
  #words;

  /** `move`: `kind`, `a` of an ability, `name`, `key`, `hint`, `icon`, `uses`, `cooldownMs`. `onPress` hears of presses. */
  constructor(move, onPress) {
    this.move = move;
    this.#cooldownMs = move.cooldownMs;
    this.#words = move.hint;
    const name = el("span", { class: "move-name" }, sentence(move.name));
    const key = move.key ? el("kbd", {}, move.key) : "";
    const data = { kind: move.kind, ability: move.a, tone: move.tone };
    const listeners = {
      click: onPress,
      // A click does not take the keys away from the field.
      mousedown: (event) => event.preventDefault(),
    };
    const label = `${sentence(move.name)}. ${move.hint}`;
    this.root = el(
      "button",
      { class: "move", type: "button", data, on: listeners, "aria-label": label, "aria-keyshortcuts": move.key || undefined },
      this.#sweep,
      el("span", { class: "move-icon" }, moveIcon(move.icon), this.#wait, this.#left),
      name,
      key,
      this.#hint,
    );
  }

  /** Shows whether it can be made now. */
  frame(game) {
    const { kind, a, uses } = this.move;
    const may = game.can(kind, a);
    set(this.root, "aria-disabled", String(!may.ok));
    mark(this.root, "why", may.ok ? null : may.reason);
    const cooling = game.cooldownMs(kind, a);
    const charge = (1 - Math.min(1, cooling / Math.max(1, this.#cooldownMs))).toFixed(3);
    if (this.root.style.getPropertyValue("--charge") !== charge) {
      this.root.style.setProperty("--charge", charge);
    }
    say(this.#wait, cooling > COUNTED_MS ? seconds(cooling).replace(" s", "") : "");
    const [, times = 0] = a === undefined ? [] : game.me.used.find(([ability]) => ability === a) ?? [];
    say(this.#left, uses > 0 ? `${Math.max(0, uses - times)}×` : "");
    say(this.#hint, why(may, cooling) ?? this.#words);
  }
}

const SILENT = new Set(["pending", "cooldown", "wrong_phase", "offline", "paused", "eliminated"]);

/** Why not, where the sweep and the coach do not say it already. */
function why(may, cooling) {
  return may.ok || cooling > 0 || SILENT.has(may.reason) ? null : refusal(may.reason).replace(/\.$/, "");
}
