// The plates of both sides: the player with its allies, and everybody else.

import { el, mark } from "./dom.js";
import { Plate } from "./plate.js";

export class Roster {
  #game;
  #plates = new Map();
  allies = el("div", { class: "plates", role: "group", "aria-label": "Your side", data: { side: "allies" } });
  foes = el("div", { class: "plates", role: "group", "aria-label": "The other side", data: { side: "foes" } });

  constructor(game) {
    this.#game = game;
  }

  /** Shows the game as it is. */
  update() {
    const game = this.#game;
    const { participants, seats } = game.view;
    const slots = Array.from({ length: Math.max(seats, participants.length) }, (_, slot) => slot);
    const shown = slots.filter((slot) => !(game.isServers(slot) && participants[slot].status === "eliminated"));
    const [allies, foes] = [shown.filter((slot) => this.#isAlly(slot)), shown.filter((slot) => !this.#isAlly(slot))];
    allies.sort((a, b) => (b === game.slot) - (a === game.slot));
    foes.sort((a, b) => weight(game, b) - weight(game, a));
    this.#place(this.allies, allies);
    this.#place(this.foes, foes);
    const taken = new Set(game.kit.map(({ key }) => key));
    for (const plate of this.#plates.values()) {
      const number = foes.indexOf(plate.slot) + 1;
      const picks = game.crowded && number > 0 && number < 10 && participants[plate.slot] && !taken.has(String(number));
      plate.update(game, picks ? String(number) : undefined);
    }
  }

  /** Shows what changes by itself as time goes on. */
  frame() {
    this.#plates.forEach((plate) => plate.frame(this.#game));
  }

  clear() {
    this.#plates.clear();
    this.allies.replaceChildren();
    this.foes.replaceChildren();
  }

  #place(list, slots) {
    const plates = slots.map((slot) => this.#plate(slot).root);
    const same = plates.length === list.children.length && plates.every((plate, i) => plate === list.children[i]);
    if (!same) {
      list.replaceChildren(...plates);
    }
    mark(list, "many", slots.length > 5 ? "very" : slots.length > 3 ? "yes" : null);
    mark(list, "count", slots.length);
  }

  #plate(slot) {
    if (!this.#plates.has(slot)) {
      this.#plates.set(slot, new Plate(slot, () => this.#game.aim(slot)));
    }
    return this.#plates.get(slot);
  }

  #isAlly(slot) {
    const game = this.#game;
    if (game.view.participants[slot]) {
      return !game.isFoe(slot);
    }
    // Whose an open seat will be, the server decides; this is how it deals them.
    return game.rules.mode === "pve" || (game.rules.mode === "arena" && game.view.seats > 2 && slot % 2 === game.me.team);
  }
}

const RANKS = { boss: 2, elite: 1 };

/** Bosses stand first. */
function weight({ view, rules }, slot) {
  const enemy = rules.enemies?.[view.participants[slot]?.enemy];
  return RANKS[enemy?.rank] ?? 0;
}
