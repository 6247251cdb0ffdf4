// What the player has: health, shield, stamina, energy, charge and shots, each as a bar with its figure.

import { healthOf } from "../rules.js";
import { el, level, mark, say, show } from "./dom.js";

/** `read` answers `[have, most]`; where `most` is nothing, the rules have no such thing. */
const GAUGES = [
  { name: "health", words: "Health", read: ({ me, rules }) => [me.hp, healthOf(me, rules)] },
  { name: "shield", words: "Shield", read: ({ me, rules }) => [me.shield, Math.max(rules.shield, me.shield && rules.health)] },
  { name: "stamina", words: "Stamina", read: (game) => [game.stamina(game.slot), game.rules.stamina] },
  { name: "energy", words: "Energy", read: (game) => [game.energy, pays(game, "energy") ? game.rules.energy : 0] },
  { name: "charge", words: "Charge", read: (game) => [game.me.charge, pays(game, "charge") ? 100 : 0] },
  { name: "ammo", words: "Shots", read: ({ me, rules }) => [me.ammo, rules.ammo] },
];

export class Gauges {
  #rows = GAUGES.map((gauge) => {
    const fill = el("span", { class: "bar-fill" });
    const figure = el("span", { class: "gauge-figure" });
    const bar = el("span", { class: "bar" }, fill);
    const root = el("div", { class: "gauge", data: { gauge: gauge.name } }, el("span", {}, gauge.words), bar, figure);
    return { ...gauge, root, fill, figure };
  });

  root = el("div", { class: "gauges" }, ...this.#rows.map(({ root }) => root));

  /** Shows what there is now. */
  frame(game) {
    for (const { name, read, root, fill, figure } of this.#rows) {
      const [have, most] = read(game);
      show(root, most > 0);
      if (most > 0) {
        const reloading = name === "ammo" && have === 0 && game.me.reload_at > game.time;
        level(fill, reloading ? 1 - (game.me.reload_at - game.time) / Math.max(1, game.rules.reload_ms) : have / most);
        say(figure, reloading ? "reload" : `${Math.floor(have)}/${most}`);
        mark(root, "low", name === "health" && have / most <= 0.3);
        mark(root, "full", name === "charge" && have >= most);
      }
    }
  }
}

function pays(game, resource) {
  return game.kit.some(({ cost }) => cost?.[resource] > 0);
}
