// The landing: the choices, the rules to fight by, what went wrong last, and the token form for servers that admit no
// guests.

import { riderArt } from "./art.js";
import { sentence } from "../words.js";
import { el, mark, say, show } from "./dom.js";

export class Gate {
  #arena;
  #choices;
  #problem = document.getElementById("problem");
  #form = document.getElementById("token-form");
  #options = document.getElementById("options");
  #title = document.getElementById("ruleset-title");
  #listed = null;

  constructor(root, arena) {
    this.#arena = arena;
    this.#choices = [...root.querySelectorAll("[data-kind]")];
    const hero = root.querySelector(".gate-hero");
    const riders = [0, 1].map((team) => el("div", { class: "gate-rider", data: { team } }, riderArt()));
    hero.prepend(...riders);
    for (const choice of this.#choices) {
      choice.addEventListener("click", () => arena.enter(choice.dataset.kind));
    }
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      arena.useToken(this.#form.elements.token.value.trim());
      this.#form.reset();
    });
    this.#options.addEventListener("change", () => this.#choose());
    this.#options.addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Shows the gate as it is. */
  render() {
    const { problem, stage, kind, rulesets } = this.#arena;
    show(this.#problem, problem !== null);
    say(this.#problem, problem?.words ?? "");
    show(this.#form, problem?.kind === "token");
    for (const choice of this.#choices) {
      choice.setAttribute("aria-busy", String(stage === "entering" && choice.dataset.kind === kind));
    }
    mark(this.#problem, "kind", problem?.kind);
    if (this.#listed !== rulesets) {
      this.#listed = rulesets;
      this.#list(rulesets);
    }
    this.#offer();
  }

  #list(rulesets) {
    const { ruleset } = this.#options.elements;
    ruleset.replaceChildren(...rulesets.map(({ name }) => el("option", { value: name }, sentence(name))));
    ruleset.value = this.#arena.wish.ruleset;
  }

  #choose() {
    const { ruleset, difficulty } = this.#options.elements;
    this.#arena.wish = { ruleset: ruleset.value, difficulty: difficulty.value };
    this.#offer();
  }

  /** A ruleset need not have every mode. */
  #offer() {
    const { rulesets, wish } = this.#arena;
    const chosen = rulesets.find(({ name }) => name === wish.ruleset);
    say(this.#title, chosen?.title ?? "");
    for (const choice of this.#choices) {
      choice.disabled = Boolean(chosen && !chosen.kinds.includes(choice.dataset.kind));
    }
  }

  #key(event) {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    const free = !event.ctrlKey && !event.metaKey && !event.altKey && !typing;
    const choice = this.#choices[Number(event.key) - 1];
    if (free && choice && !choice.disabled && this.#arena.stage === "gate") {
      this.#arena.enter(choice.dataset.kind);
    }
  }
}
