// What abilities and blows look like on the field while they happen: beams, areas, lines, cones and rings that fade.

import { lively, svg } from "./dom.js";

const FADE_MS = 700;
const TRACER_MS = 260;

export class Marks {
  #layer;

  constructor(layer) {
    this.#layer = layer;
  }

  /** A blow's way from one place to another; `scale` is cm to a pixel. */
  tracer(from, to, { team, scale, guarded }) {
    const tone = guarded ? "guarded" : "blow";
    const line = svg("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y, "stroke-width": 3 * scale });
    this.#flash(line, { team, tone }, TRACER_MS);
  }

  /** An ability of `ability.shape` from a place towards another. */
  ability(ability, from, to, { team, scale }) {
    const tone = ability.affects === "enemies" || ability.affects === "others" ? "harm" : "help";
    this.#flash(shapeOf(ability, from, to, scale), { team, tone }, FADE_MS);
  }

  /** A ring that grows from a place: somebody comes, falls or comes back, or something goes off. */
  ring(at, { team, tone, radius }) {
    const ring = svg("circle", { cx: at.x, cy: at.y, r: radius });
    this.#flash(ring, { team, tone }, FADE_MS, at);
  }

  #flash(shape, { team, tone }, ms, grow = null) {
    const node = svg("g", { class: "mark", data: { tone, team: team % 8 } }, shape);
    this.#layer.append(node);
    const steps = [{ opacity: 0.2 }, { opacity: 1, offset: 0.15 }, { opacity: 0 }];
    if (grow && lively()) {
      shape.style.transformOrigin = `${grow.x}px ${grow.y}px`;
      shape.animate([{ transform: "scale(.2)" }, { transform: "scale(1)" }], { duration: ms, easing: "ease-out" });
    }
    node.animate(steps, { duration: ms, easing: "ease-out", fill: "forwards" }).onfinish = () => node.remove();
  }
}

function shapeOf(ability, from, to, scale) {
  const { shape, range_cm: range, radius_cm: radius, width_cm: width, degrees } = ability;
  const angle = Math.atan2(to.y - from.y, to.x - from.x);
  switch (shape) {
    case "area": {
      const middle = range === 0 ? from : to;
      return svg("circle", { cx: middle.x, cy: middle.y, r: radius });
    }
    case "line":
      return svg("rect", {
        y: -width / 2,
        width: range,
        height: width,
        transform: `translate(${from.x} ${from.y}) rotate(${(angle * 180) / Math.PI})`,
      });
    case "cone":
      return svg("path", { d: sector(from, range, angle, (degrees * Math.PI) / 180) });
    default:
      return from.x === to.x && from.y === to.y
        ? svg("circle", { cx: from.x, cy: from.y, r: 34 * scale })
        : svg("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y, "stroke-width": 6 * scale });
  }
}

function sector({ x, y }, range, angle, wide) {
  const at = (turn) => `${(x + Math.cos(turn) * range).toFixed(0)} ${(y + Math.sin(turn) * range).toFixed(0)}`;
  const large = wide > Math.PI ? 1 : 0;
  return `M${x} ${y}L${at(angle - wide / 2)}A${range} ${range} 0 ${large} 1 ${at(angle + wide / 2)}z`;
}
