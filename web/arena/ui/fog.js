// The fog over the field: what no team-mate is near enough to see is dim.

import { set, svg } from "./dom.js";

export class Fog {
  #holes = svg("g", { fill: "#000" });
  #lit = svg("rect", { fill: "#fff" });
  #cover = svg("rect", { class: "fog", mask: "url(#fog-holes)" });
  root = svg("g", { hidden: true }, svg("mask", { id: "fog-holes", maskUnits: "userSpaceOnUse" }, this.#lit, this.#holes), this.#cover);

  /** Lies over a field of this size. */
  fit(width, height) {
    for (const node of [this.#lit, this.#cover, this.root.firstElementChild]) {
      Object.entries({ x: 0, y: 0, width, height }).forEach(([name, value]) => node.setAttribute(name, value));
    }
  }

  /** Leaves holes of this radius around these places; without a radius there is no fog. */
  lift(places, radius) {
    this.root.toggleAttribute("hidden", radius === 0);
    if (radius === 0) {
      return;
    }
    while (this.#holes.childElementCount > places.length) {
      this.#holes.lastElementChild.remove();
    }
    for (const [i, { x, y }] of places.entries()) {
      const hole = this.#holes.children[i] ?? this.#holes.appendChild(svg("circle", {}));
      Object.entries({ cx: x, cy: y, r: radius }).forEach(([name, value]) => set(hole, name, value.toFixed(0)));
    }
  }
}
