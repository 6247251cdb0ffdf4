// The field as it lies: the floor, what stands on it and what burns there, drawn to scale in centimetres. Units and what
// happens between them are put into its layers by others.

import { inside } from "../geometry.js";
import { stands } from "../rules.js";
import { mark, set, svg } from "./dom.js";
import { Fog } from "./fog.js";

/** Around the field, as a share of its longer side. */
const MARGIN = 0.025;
const TILE_CM = 500;

export class Ground {
  #field = null;
  #covers = [];
  #hazards = [];
  #things = svg("g", { class: "things" });
  #fog = new Fog();
  #goal = svg("g", { class: "goal" }, svg("circle", { r: 9 }), svg("circle", { r: 3 }));
  #watch = new ResizeObserver(() => this.#fit());

  /** Layers for others, from the lowest up. */
  marks = svg("g", { class: "marks" });
  units = svg("g", { class: "units" });
  root = svg("svg", { class: "ground", "aria-hidden": "true" });

  /** Centimetres to a pixel, and how units are drawn: smaller where the field is small. */
  scale = 10;
  unitScale = 10;

  constructor() {
    this.#watch.observe(this.root);
  }

  /** Draws the field of these rules, anew where it is another. */
  lay(rules, view) {
    if (this.#field !== rules.field) {
      this.#field = rules.field;
      this.#draw(rules);
      this.#fit();
    }
    rules.field.covers.forEach((cover, i) => this.#showCover(cover, view.covers[i], i));
    rules.field.hazards.forEach((_, i) => mark(this.#hazards[i], "gone", view.hazards[i]?.[1] === 1 || null));
  }

  /** Shows where the player walks to. */
  aimAt(goal) {
    this.#goal.toggleAttribute("hidden", goal === null);
    if (goal !== null) {
      set(this.#goal, "transform", `translate(${goal.x} ${goal.y}) scale(${this.scale})`);
    }
  }

  /** Dims all that is further than `sight` from these places; nothing where there is no fog. */
  dim(places, sight) {
    this.#fog.lift(places, sight);
  }

  /** The place of the field under a point of the window. */
  placeAt(clientX, clientY) {
    const point = new DOMPoint(clientX, clientY).matrixTransform(this.root.getScreenCTM().inverse());
    return { x: point.x, y: point.y };
  }

  /** The point of the stage, whose corner is at `left`, `top` of the window, over a place of the field. */
  pointOf({ x, y }, { left, top }) {
    const point = new DOMPoint(x, y).matrixTransform(this.root.getScreenCTM());
    return { x: point.x - left, y: point.y - top };
  }

  /** What can be struck at this place: `{c}`, `{z}`, or nothing. */
  thingAt(place, view) {
    const z = this.#field.hazards.findIndex(
      ({ x, y, r, health }, i) => health > 0 && !view.hazards[i][1] && Math.hypot(x - place.x, y - place.y) <= Math.max(60, r / 3),
    );
    if (z >= 0) {
      return { z };
    }
    const c = this.#field.covers.findIndex((cover, i) => cover.health > 0 && view.covers[i] > 0 && inside(cover, place));
    return c >= 0 ? { c } : null;
  }

  /** Whether this place is on the field, not only beside it. */
  has({ x, y }) {
    return x >= 0 && y >= 0 && x <= this.#field.width_cm && y <= this.#field.height_cm;
  }

  #draw({ field }) {
    const { width_cm: width, height_cm: height } = field;
    const margin = MARGIN * Math.max(width, height);
    this.root.setAttribute("viewBox", `${-margin} ${-margin} ${width + 2 * margin} ${height + 2 * margin}`);
    this.#covers = field.covers.map(coverArt);
    this.#hazards = field.hazards.map((hazard) => hazardArt(hazard, field));
    this.#things.replaceChildren(...this.#hazards, ...this.#covers);
    const layers = [floorArt(width, height), this.#things, this.#fog.root, this.#goal, this.marks, this.units];
    this.root.replaceChildren(...layers);
    this.#fog.fit(width, height);
    this.aimAt(null);
  }

  #showCover(cover, hp, i) {
    const node = this.#covers[i];
    mark(node, "gone", !stands(cover, hp) || null);
    const share = cover.health === 0 ? 1 : hp / cover.health;
    mark(node, "worn", share > 0.66 ? null : share > 0.33 ? "some" : "much");
    const bar = node.querySelector(".cover-left");
    bar.setAttribute("width", String(Math.max(0, cover.w * share)));
    bar.toggleAttribute("hidden", share >= 1);
  }

  #fit() {
    const { clientWidth, clientHeight } = this.root;
    if (this.#field && clientWidth > 0) {
      const { width, height } = this.root.viewBox.baseVal;
      this.scale = Math.max(width / clientWidth, height / clientHeight);
      this.unitScale = this.scale * Math.min(1, Math.max(0.72, width / this.scale / 560));
    }
  }
}

function floorArt(width, height) {
  const lines = [];
  for (let x = TILE_CM; x < width; x += TILE_CM) {
    lines.push(`M${x} 0V${height}`);
  }
  for (let y = TILE_CM; y < height; y += TILE_CM) {
    lines.push(`M0 ${y}H${width}`);
  }
  const [cx, cy, r] = [width / 2, height / 2, Math.min(width, height) * 0.16];
  return svg(
    "g",
    { class: "floor" },
    svg("rect", { class: "floor-base", width, height }),
    svg("path", { class: "floor-lines", d: lines.join("") }),
    svg("path", { class: "floor-rail", d: `M${cx} 0V${cy - r}M${cx} ${cy + r}V${height}` }),
    svg("circle", { class: "floor-ring", cx, cy, r }),
    svg("path", { class: "floor-crest", d: star(cx, cy, r * 0.82, r * 0.34) }),
    svg("rect", { class: "floor-edge", width, height }),
  );
}

function star(cx, cy, long, short) {
  const points = Array.from({ length: 16 }, (_, i) => {
    const [angle, far] = [(i * Math.PI) / 8, i % 2 === 0 ? (i % 4 === 0 ? long : long * 0.62) : short];
    return `${(cx + Math.sin(angle) * far).toFixed(0)} ${(cy - Math.cos(angle) * far).toFixed(0)}`;
  });
  return `M${points.join("L")}z`;
}

const MATERIALS = ["glass", "wood", "brick", "concrete", "steel"];

function coverArt({ name, kind, x, y, w, h }) {
  const material = MATERIALS.find((one) => name.includes(one)) ?? (kind === "wall" ? "steel" : "concrete");
  const cut = Math.min(w, h) * 0.25;
  return svg(
    "g",
    { class: "cover", data: { kind, material }, transform: `translate(${x} ${y})` },
    svg("title", {}, name),
    svg("rect", { class: "cover-shadow", x: 14, y: 22, width: w, height: h, rx: 12 }),
    svg("rect", { class: "cover-body", width: w, height: h, rx: kind === "wall" ? 0 : 12 }),
    svg("path", { class: "cover-light", d: `M0 ${h}V0H${w}L${w - cut} ${cut}H${cut}V${h - cut}z` }),
    svg("path", { class: "cover-cracks", d: cracks(w, h) }),
    svg("rect", { class: "cover-left", y: h + 14, width: w, height: 22 }),
  );
}

/** Cracks from side to side, the same for every size. */
function cracks(w, h) {
  const across = (share, lean) =>
    `M${w * share} 0L${w * (share + lean)} ${h * 0.35}L${w * (share - lean)} ${h * 0.6}L${w * (share + lean / 2)} ${h}`;
  return across(0.3, 0.08) + across(0.7, -0.1) + `M0 ${h * 0.45}L${w * 0.3} ${h * 0.6}L${w * 0.62} ${h * 0.4}L${w} ${h * 0.55}`;
}

function hazardArt({ name, x, y, r, health, everywhere }, field) {
  if (everywhere || r === 0) {
    const rain = svg("rect", { class: "hazard-rain", width: field.width_cm, height: field.height_cm });
    return svg("g", { class: "hazard", data: { everywhere: true } }, svg("title", {}, name), rain);
  }
  const barrel = health > 0;
  const core = barrel
    ? [
        svg("circle", { class: "barrel", r: 62 }),
        svg("circle", { class: "barrel-lid", r: 42 }),
        svg("path", { class: "barrel-mark", d: "M0-28L26 18H-26z" }),
      ]
    : [svg("circle", { class: "hazard-core", r: r * 0.55 })];
  return svg(
    "g",
    { class: "hazard", data: { barrel: barrel || undefined }, transform: `translate(${x} ${y})` },
    svg("title", {}, name),
    svg("circle", { class: "hazard-reach", r }),
    ...core,
  );
}
