// One seat beside the field: name, bars, what it is doing, and the effects on it. It is also the button that picks it.

import { effectsOf, healthOf } from "../rules.js";
import { nameOf, seconds, sentence } from "../words.js";
import { blankCrest, crest } from "./art.js";
import { el, level, mark, say, show, svg } from "./dom.js";
import { hue, sign } from "./tokens.js";

const CHIPS_MAX = 5;

export class Plate {
  #known = null;
  #name = el("span", { class: "plate-name" });
  #tag = el("span", { class: "plate-tag" });
  #key = el("kbd", { class: "plate-key" });
  #crest = el("span", { class: "plate-crest" });
  #hpFill = el("span", { class: "bar-fill" });
  #hpLag = el("span", { class: "bar-lag" });
  #hpShield = el("span", { class: "bar-shield" });
  #hpHave = el("span");
  #hpMost = el("span", { class: "bar-most" });
  #hpText = el("span", { class: "bar-text" }, this.#hpHave, this.#hpMost);
  #hp = el("span", { class: "bar", role: "meter", "aria-valuemin": "0" }, this.#hpLag, this.#hpFill, this.#hpShield, this.#hpText);
  #doing = el("span", { class: "plate-doing" });
  #score = el("span", { class: "plate-score" });
  #foot = el("span", { class: "plate-foot" }, this.#doing, this.#score);
  #phases = el("span", { class: "plate-phases", hidden: true });
  #chips = el("span", { class: "plate-chips" });
  #chipsShown = "";

  /** `onPick` hears that this one is to be aimed at. */
  constructor(slot, onPick) {
    this.slot = slot;
    const head = el("span", { class: "plate-head" }, this.#crest, this.#name, this.#tag, this.#key);
    const parts = [head, this.#hp, this.#phases, this.#foot, this.#chips];
    // A click does not take the keys away from the field.
    const on = { click: onPick, mousedown: (event) => event.preventDefault() };
    this.root = el("button", { class: "plate", type: "button", data: { slot }, on }, ...parts);
  }

  /** Shows what the view says of this seat; `key` picks it, if any does. */
  update(game, key) {
    const participant = game.view.participants[this.slot];
    const mine = this.slot === game.slot;
    const status = !participant ? "empty" : participant.hidden ? "hidden" : participant.status;
    mark(this.root, "status", status);
    mark(this.root, "team", participant ? participant.team % 8 : null);
    mark(this.root, "mine", mine);
    for (const part of [this.#hp, this.#foot, this.#chips]) {
      show(part, Boolean(participant) && !participant.hidden);
    }
    show(this.#phases, false);
    const targeted = game.target === this.slot && game.phase === "active" && !game.outcome;
    mark(this.root, "target", targeted);
    mark(this.root, "turn", game.view.phase.turn === this.slot);
    say(this.#tag, mine ? "You" : "Unseen");
    show(this.#tag, mine || status === "hidden");
    say(this.#key, key ?? "");
    show(this.#key, key !== undefined);
    this.root.disabled = mine || !participant || status === "hidden" || Boolean(game.outcome);
    if (participant) {
      this.#seated(game, participant, mine);
    } else {
      this.#known = null;
      say(this.#name, "Open seat");
      this.#crest.replaceChildren(blankCrest());
    }
    this.root.setAttribute("aria-pressed", String(targeted));
  }

  /** Shows what changes by itself as time goes on. */
  frame(game) {
    const participant = game.view.participants[this.slot];
    if (!participant || participant.hidden) {
      return;
    }
    const effects = effectsOf(participant, game.rules, game.time);
    const busy = doing(game, this.slot, participant, effects);
    mark(this.root, "busy", busy !== "");
    say(this.#doing, busy || (participant.armor > 0 ? `Armor ${participant.armor}` : ""));
    this.#showEffects(effects.slice(0, CHIPS_MAX));
  }

  #seated(game, participant, mine) {
    const { rules, view } = game;
    const enemy = rules.enemies?.[participant.enemy];
    const name = nameOf(view, rules, this.slot);
    say(this.#name, name);
    if (this.#known !== participant.player) {
      this.#known = participant.player;
      this.#crest.replaceChildren(enemy ? enemyCrest(enemy) : crest(participant.player));
    }
    mark(this.root, "rank", enemy?.rank ?? "player");
    const most = healthOf(participant, rules);
    const share = participant.hp / most;
    level(this.#hpFill, share);
    level(this.#hpLag, share);
    level(this.#hpShield, participant.shield / most);
    mark(this.#hp, "low", share <= 0.3);
    const shield = participant.shield > 0 ? ` +${participant.shield}` : "";
    say(this.#hpHave, String(participant.hp));
    say(this.#hpMost, ` / ${most}${shield}`);
    this.#hp.setAttribute("aria-label", `Health of ${mine ? "you" : name}`);
    this.#hp.setAttribute("aria-valuemax", most);
    this.#hp.setAttribute("aria-valuenow", participant.hp);
    say(this.#score, String(participant.score));
    if (!participant.hidden && enemy?.phases.length > 1) {
      this.#showPhases(enemy.phases, participant.phase ?? 0);
    }
    this.root.setAttribute("aria-label", `${name}${mine ? " (you)" : ""}, health ${participant.hp} of ${most}`);
  }

  #showPhases(phases, now) {
    show(this.#phases, true);
    const pips = phases.map((_, i) => el("i", { data: { past: i < now || undefined, now: i === now || undefined } }));
    this.#phases.replaceChildren(...pips, `${now + 1}: ${sentence(phases[now] ?? "")}`);
  }

  #showEffects(effects) {
    const key = effects.map(({ effect, stacks, leftMs }) => `${effect},${stacks},${leftMs === null ? "" : seconds(leftMs)}`).join();
    if (key !== this.#chipsShown) {
      this.#chipsShown = key;
      this.#chips.replaceChildren(...effects.map(chip));
    }
  }
}

/** What somebody is doing, in a word or two. */
function doing(game, slot, participant, effects) {
  const { rules, time } = game;
  const [casting, until] = participant.cast;
  if (participant.status === "eliminated") {
    return participant.hp > 0 ? "Gone" : "Unhorsed";
  }
  if (participant.status === "disconnected") {
    return "Reconnecting";
  }
  if (game.phase === "preparation") {
    return participant.ready ? "Ready" : "";
  }
  if (effects.some(({ stuns }) => stuns)) {
    return "Stunned";
  }
  if (casting !== undefined && until > time) {
    return `${sentence(rules.abilities[casting]?.name ?? "Casting")} ${seconds(until - time)}`;
  }
  return game.guardMs(slot) > 0 ? `Guard ${seconds(game.guardMs(slot))}` : "";
}

function enemyCrest(enemy) {
  return svg("svg", { class: "crest", viewBox: "-14 -14 28 28", "aria-hidden": "true" }, sign(enemy, 19));
}

function chip({ name, element, stacks, leftMs }) {
  const words = `${sentence(name)}${stacks > 1 ? ` ×${stacks}` : ""}${leftMs === null ? "" : ` ${seconds(leftMs)}`}`;
  const node = el("span", { class: "chip" }, words);
  node.style.setProperty("--hue", hue(element));
  return node;
}
