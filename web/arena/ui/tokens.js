// The shapes that stand for participants on the field: a ring for one's own side, a hexagon for the other, so that sides
// differ by more than colour; a crest for a player, a sign for an enemy of a kind. In pixels around the middle.

import { crest } from "./art.js";
import { svg } from "./dom.js";

/** How big each is drawn. */
export const SIZES = { player: 18, normal: 14, elite: 18, boss: 29 };

/** The outline of a unit of this side. */
export function outline(side, r) {
  if (side !== "foe") {
    return svg("circle", { r });
  }
  const corners = Array.from({ length: 6 }, (_, i) => {
    const angle = (i * Math.PI) / 3 + Math.PI / 6;
    return `${(Math.cos(angle) * r * 1.1).toFixed(1)} ${(Math.sin(angle) * r * 1.1).toFixed(1)}`;
  });
  return svg("path", { d: `M${corners.join("L")}z` });
}

const SIGNS = {
  drone: "M0-10L9 8 0 4-9 8z",
  swarm: "M0-10L9 8 0 4-9 8z",
  berserk: "M-9-9L0-2 9-9 5 3 9 10 0 5-9 10-5 3z",
  tank: "M-9-7H9V7H-9zM-3-3V3H12V-1H3V-3z",
  medic: "M-3-10H3V-3H10V3H3V10H-3V3H-10V-3H-3z",
  boss: "M-11 8L-12-8-5 0 0-11 5 0 12-8 11 8z",
};
const ANY = "M-8-8H8V2L4 9H-4L-8 2zM-5-3V1H-1V-3zM1-3V1H5V-3z";

/** The sign of an enemy: by what its name says it is, else by its rank. */
export function sign({ name, rank }, r) {
  const known = Object.keys(SIGNS).find((word) => name.includes(word)) ?? (rank === "boss" ? "boss" : null);
  const d = known ? SIGNS[known] : ANY;
  return svg("path", { class: "unit-sign", d, "fill-rule": "evenodd", transform: `scale(${(r / 19).toFixed(2)})` });
}

/** The crest of a player. */
export function arms(player, r) {
  const node = crest(player);
  const [width, height] = [r * 1.16, r * 1.36];
  for (const [name, value] of Object.entries({ x: -width / 2, y: -height / 2 + 1, width, height })) {
    node.setAttribute(name, value.toFixed(1));
  }
  return node;
}

const ELEMENTS = { fire: "#ff9b4a", ice: "#9fe8ff", shock: "#ffe45c", poison: "#9bf05a", blood: "#ff6b6b" };

/** The colour of an element; violet for an effect that has none. */
export function hue(element) {
  return ELEMENTS[element] ?? "#c9a8ff";
}
