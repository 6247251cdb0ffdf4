// The landing: the two choices, what went wrong last, and the token form for servers that admit no guests.

import { riderArt } from "./art.js";
import { el, mark, say, show } from "./dom.js";

export class Gate {
  #arena;
  #choices;
  #problem = document.getElementById("problem");
  #form = document.getElementById("token-form");

  constructor(root, arena) {
    this.#arena = arena;
    this.#choices = [...root.querySelectorAll("[data-kind]")];
    const hero = root.querySelector(".gate-hero");
    const riders = [0, 1].map((slot) => el("div", { class: "gate-rider", data: { slot } }, riderArt()));
    hero.prepend(...riders);
    for (const choice of this.#choices) {
      choice.addEventListener("click", () => arena.enter(choice.dataset.kind));
    }
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      arena.useToken(this.#form.elements.token.value.trim());
      this.#form.reset();
    });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Shows the gate as it is. */
  render() {
    const { problem, stage, kind } = this.#arena;
    show(this.#problem, problem !== null);
    say(this.#problem, problem?.words ?? "");
    show(this.#form, problem?.kind === "token");
    for (const choice of this.#choices) {
      choice.setAttribute("aria-busy", String(stage === "entering" && choice.dataset.kind === kind));
    }
    mark(this.#problem, "kind", problem?.kind);
  }

  #key(event) {
    const free = !event.ctrlKey && !event.metaKey && !event.altKey && !(event.target instanceof HTMLInputElement);
    const choice = this.#choices[Number(event.key) - 1];
    if (free && choice && this.#arena.stage === "gate") {
      this.#arena.enter(choice.dataset.kind);
    }
  }
}
