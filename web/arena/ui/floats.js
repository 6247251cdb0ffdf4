// Figures and words that rise from where something happened.

import { el, lively, mark } from "./dom.js";

const FLOAT_MS = 1100;
const MOST = 40;

export class Floats {
  root = el("div", { class: "floats", "aria-hidden": "true" });

  /** Lets `text` rise from a point of the stage, with small `words` under it; `tone` is how it is meant. */
  rise({ x, y }, text, { words = "", tone = null } = {}) {
    const node = el("span", { class: "float" }, text);
    if (words) {
      node.append(el("small", {}, words));
    }
    mark(node, "tone", tone);
    node.style.left = `${x + (Math.random() - 0.5) * 34}px`;
    node.style.top = `${y - 22}px`;
    this.root.append(node);
    while (this.root.childElementCount > MOST) {
      this.root.firstElementChild.remove();
    }
    const high = lively() ? -56 : 0;
    const fade = node.animate(
      [
        { transform: "scale(.5)", opacity: 0 },
        { transform: "scale(1.2)", opacity: 1, offset: 0.12 },
        { transform: "scale(1)", opacity: 1, offset: 0.3 },
        { transform: `translateY(${high}px)`, opacity: 0 },
      ],
      { duration: FLOAT_MS, easing: "ease-out", fill: "forwards" },
    );
    fade.onfinish = () => node.remove();
  }

  clear() {
    this.root.replaceChildren();
  }
}
