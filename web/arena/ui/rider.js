// One seat on the stage: the plate with name and bars, the mount that can be struck, and how it moves.

import { callsign } from "../words.js";
import { blankCrest, crest, riderArt } from "./art.js";
import { el, level, lively, mark, say, show } from "./dom.js";

/** A dash takes this long until the lance touches. */
export const STRIKE_MS = 130;

export class Rider {
  #mine;
  #player = null;
  #name = el("span", { class: "plate-name" });
  #tag = el("span", { class: "plate-tag" });
  #key = el("kbd", { class: "plate-key" });
  #crest = el("span");
  #hpFill = el("span", { class: "bar-fill" });
  #hpLag = el("span", { class: "bar-lag" });
  #hpText = el("span", { class: "bar-text" });
  #hp = el("div", { class: "bar", role: "meter", "aria-valuemin": "0" }, this.#hpLag, this.#hpFill, this.#hpText);
  #staminaFill = el("span", { class: "bar-fill" });
  #stamina = el("div", { class: "bar stamina", "aria-hidden": "true" }, this.#staminaFill);
  #armor = el("span");
  #score = el("span");
  #foot = el("div", { class: "plate-foot" }, this.#armor, this.#score);
  #badge = el("span", { class: "badge", hidden: true });
  #act;

  /** `place` is where on the stage; 0 is the player's own. `onStrike` hears that this rider is to be struck. */
  constructor({ slot, place, facing, mine, onStrike, onAim }) {
    this.slot = slot;
    this.#mine = mine;
    const turn = el("span", { class: "mount-turn" }, riderArt());
    this.#act = el("span", { class: "mount-act" }, turn);
    const inside = [this.#act, el("span", { class: "mount-aim" }), this.#badge];
    this.mount = mine
      ? el("div", { class: "mount" }, ...inside)
      : el("button", { class: "mount", type: "button", on: { click: onStrike, focus: onAim } }, ...inside);
    const head = el("div", { class: "plate-head" }, this.#crest, this.#name, this.#tag, this.#key);
    this.plate = el("div", { class: "plate" }, head, this.#hp, this.#stamina, this.#foot);
    this.root = el("div", { class: "rider", data: { slot, place, facing } }, this.plate, this.mount);
    say(this.#key, String(slot + 1));
    say(this.#tag, mine ? "You" : "Target");
  }

  /** Shows what the view says of this seat. */
  update(game) {
    const participant = game.view.participants[this.slot];
    const status = participant?.status ?? "empty";
    mark(this.root, "status", status);
    for (const part of [this.#hp, this.#stamina, this.#foot]) {
      show(part, Boolean(participant));
    }
    if (participant) {
      this.#seated(participant, game.view.rules);
    } else {
      say(this.#name, "Open seat");
      this.#crest.replaceChildren(blankCrest());
    }
    const fighting = game.phase === "active";
    const targeted = fighting && !game.outcome && game.me.status !== "eliminated" && game.target === this.slot;
    mark(this.root, "target", targeted || null);
    show(this.#tag, this.#mine || targeted);
    show(this.#key, !this.#mine && game.seats > 2 && Boolean(participant));
    this.#wear(participant, game.phase);
    if (!this.#mine) {
      this.mount.disabled = !fighting || !participant || status === "eliminated" || Boolean(game.outcome);
      const label = participant ? `Strike ${callsign(participant.player)}, health ${participant.hp}` : "Open seat";
      this.mount.setAttribute("aria-label", label);
      this.mount.setAttribute("aria-pressed", String(targeted));
    }
  }

  /** Shows what changes by itself as time goes on. */
  frame(game) {
    if (!game.view.participants[this.slot]) {
      return;
    }
    level(this.#staminaFill, game.stamina(this.slot) / game.view.rules.stamina);
    mark(this.root, "guarding", game.guardMs(this.slot) > 0 || null);
  }

  /** Dashes `dx`, `dy` pixels and back. */
  strike(dx, dy) {
    if (lively()) {
      const far = `translate(${(dx * 0.62).toFixed(1)}px, ${(dy * 0.8).toFixed(1)}px) rotate(${dx > 0 ? 3 : -3}deg)`;
      this.#act.animate(
        [
          { transform: "none", easing: "cubic-bezier(.5, 0, .9, .4)" },
          { transform: far, offset: 0.27, easing: "cubic-bezier(.2, .6, .3, 1)" },
          { transform: "none" },
        ],
        { duration: STRIKE_MS / 0.27 },
      );
    }
  }

  /** Takes a blow that comes along `dx`. */
  recoil(dx, hard) {
    if (lively()) {
      const way = Math.sign(dx) || 1;
      const by = hard ? 30 : 17;
      this.#act.animate(
        [
          { transform: "none", filter: "brightness(2.6)" },
          { transform: `translateX(${way * by}px) rotate(${way * (hard ? 8 : 4)}deg)`, filter: "brightness(1.5)", offset: 0.25 },
          { transform: `translateX(${way * -3}px)`, offset: 0.75 },
          { transform: "none", filter: "none" },
        ],
        { duration: 380, easing: "ease-out" },
      );
    }
  }

  #seated(participant, rules) {
    if (this.#player !== participant.player) {
      this.#player = participant.player;
      const name = callsign(participant.player);
      say(this.#name, name);
      this.#crest.replaceChildren(crest(participant.player));
      this.#hp.setAttribute("aria-label", `Health of ${this.#mine ? "you" : name}`);
      this.#hp.setAttribute("aria-valuemax", rules.health);
    }
    const share = participant.hp / rules.health;
    level(this.#hpFill, share);
    level(this.#hpLag, share);
    mark(this.#hp, "low", share <= 0.3);
    say(this.#hpText, `${participant.hp} / ${rules.health}`);
    this.#hp.setAttribute("aria-valuenow", participant.hp);
    say(this.#armor, `Armor ${participant.armor}`);
    say(this.#score, `Score ${participant.score}`);
  }

  #wear(participant, phase) {
    const [tone, words] = badgeOf(participant, phase);
    show(this.#badge, tone !== null);
    mark(this.#badge, "tone", tone);
    say(this.#badge, words);
  }
}

function badgeOf(participant, phase) {
  switch (participant?.status) {
    case "eliminated":
      return ["out", participant.hp > 0 ? "Gone" : "Unhorsed"];
    case "disconnected":
      return ["away", "Reconnecting"];
    case "active":
      return phase === "preparation" && participant.ready ? ["ready", "Ready"] : [null, ""];
    default:
      return [null, ""];
  }
}
