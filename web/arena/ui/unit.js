// One participant on the field: where it stands, whose it is, how it is, and what it is doing.

import { effectsOf, healthOf, stateOf } from "../rules.js";
import { nameOf } from "../words.js";
import { lively, mark, say, set, svg } from "./dom.js";
import { SIZES, arms, hue, outline, sign } from "./tokens.js";

const CHIPS_MAX = 4;

export class Unit {
  #place = null;
  #angle = 0;
  /** The way that it was said to look. */
  #facing = null;
  #side = null;
  #r = SIZES.player;
  #player = null;
  #shape = svg("g", { class: "unit-shape" });
  #lance = svg("path", { class: "unit-lance" });
  #body = svg("g", { class: "unit-body" });
  #health = svg("circle", { class: "unit-health", pathLength: 100 });
  #healthBase = svg("circle", { class: "unit-health-base" });
  #shield = svg("circle", { class: "unit-shield", pathLength: 100 });
  #guard = svg("circle", { class: "unit-guard" });
  #aim = svg("path", { class: "unit-aim" });
  #cast = svg("g", { class: "unit-cast" }, svg("rect", { class: "cast-base" }), svg("rect", { class: "cast-fill" }));
  #chips = svg("g", { class: "unit-chips" });
  #chipsShown = "";
  #stun = svg("text", { class: "unit-stun" }, "✶ ✶ ✶");
  #name = svg("text", { class: "unit-name" });

  constructor(slot) {
    this.slot = slot;
    this.#shape.append(this.#lance, this.#body, this.#healthBase, this.#health, this.#shield, this.#guard);
    this.root = svg(
      "g",
      { class: "unit", data: { slot } },
      svg("ellipse", { class: "unit-shadow" }),
      this.#aim,
      this.#shape,
      this.#cast,
      this.#chips,
      this.#stun,
      this.#name,
    );
  }

  /** Where it is drawn. */
  get place() {
    return this.#place;
  }

  /** Shows what the view says of it. */
  update(game) {
    const participant = game.view.participants[this.slot];
    const { rules } = game;
    const enemy = rules.enemies?.[participant.enemy];
    const side = game.isFoe(this.slot) ? "foe" : this.slot === game.slot ? "own" : "ally";
    if (this.#player !== participant.player || this.#side !== side) {
      this.#player = participant.player;
      this.#side = side;
      this.#build(participant, enemy, side);
    }
    mark(this.root, "side", side);
    mark(this.root, "team", participant.team % 8);
    mark(this.root, "rank", enemy?.rank ?? "player");
    mark(this.root, "status", participant.status);
    mark(this.root, "state", stateOf(participant, rules));
    mark(this.root, "target", game.target === this.slot && game.phase === "active" && !game.outcome);
    mark(this.root, "turn", game.view.phase.turn === this.slot);
    mark(this.root, "phase", enemy && enemy.phases.length > 1 ? participant.phase : null);
    const share = participant.hp / healthOf(participant, rules);
    this.#health.setAttribute("stroke-dasharray", `${(share * 100).toFixed(1)} 100`);
    mark(this.root, "low", share <= 0.3);
    const shield = Math.min(1, participant.shield / healthOf(participant, rules));
    this.#shield.setAttribute("stroke-dasharray", `${(shield * 100).toFixed(1)} 100`);
    say(this.#name, side === "own" ? "You" : nameOf(game.view, rules, this.slot));
  }

  /** Shows what changes by itself as time goes on; `scale` cm to a pixel. */
  frame(game, scale) {
    const participant = game.view.participants[this.slot];
    this.#goTo(game.drawn(this.slot));
    const { x, y } = this.#place;
    set(this.root, "transform", `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${scale.toFixed(3)})`);
    set(this.#lance, "transform", `rotate(${this.#angle.toFixed(0)})`);
    const { time, rules } = game;
    mark(this.root, "guarding", game.guardMs(this.slot) > 0);
    this.#showCast(participant, rules, time);
    this.#showEffects(effectsOf(participant, rules, time));
  }

  /** Turns towards a place. */
  face(place) {
    if (this.#place && (place.x !== this.#place.x || place.y !== this.#place.y)) {
      this.#angle = (Math.atan2(place.y - this.#place.y, place.x - this.#place.x) * 180) / Math.PI;
    }
  }

  /** Thrusts the lance. */
  strike() {
    if (lively()) {
      const turn = `rotate(${this.#angle.toFixed(0)}deg)`;
      const steps = [{ transform: turn }, { transform: `${turn} translateX(9px)`, offset: 0.3 }, { transform: turn }];
      this.#lance.animate(steps, { duration: 240, easing: "ease-out" });
    }
  }

  /** Takes a blow. */
  recoil(hard) {
    const bright = `brightness(${hard ? 3 : 2})`;
    const steps = [{ filter: bright }, { filter: "none" }];
    this.#shape.animate(lively() ? steps : [{ opacity: 0.5 }, { opacity: 1 }], { duration: 320, easing: "ease-out" });
  }

  #build(participant, enemy, side) {
    const r = enemy ? SIZES[enemy.rank] ?? SIZES.normal : SIZES.player;
    this.#r = r;
    this.#body.replaceChildren(outline(side, r), enemy ? sign(enemy, r) : arms(participant.player, r));
    this.#lance.setAttribute("d", `M${r + 6}-7L${r + 20} 0 ${r + 6} 7 ${r + 9} 0z`);
    const rings = [[this.#healthBase, 5], [this.#health, 5], [this.#shield, 9], [this.#guard, 12]];
    rings.forEach(([ring, more]) => ring.setAttribute("r", r + more));
    const [far, arm] = [r + 15, 9];
    const corner = (a, b) => `M${a * far} ${b * (far - arm)}V${b * far}H${a * (far - arm)}`;
    this.#aim.setAttribute("d", corner(1, 1) + corner(-1, 1) + corner(1, -1) + corner(-1, -1));
    const shadow = this.root.querySelector(".unit-shadow");
    Object.entries({ cy: r * 0.5, rx: r * 1.3, ry: r }).forEach(([name, value]) => shadow.setAttribute(name, value));
    this.#cast.setAttribute("transform", `translate(-22 ${-r - 20})`);
    this.#chips.setAttribute("transform", `translate(0 ${-r - 28})`);
    this.#stun.setAttribute("y", -r - 10);
    this.#name.setAttribute("y", r + 22);
  }

  /** It is there, and looks where it is said to, or else where it goes. */
  #goTo({ x, y, f }) {
    const [dx, dy] = [x - (this.#place?.x ?? x), y - (this.#place?.y ?? y)];
    if (f !== undefined && f !== this.#facing) {
      this.#facing = f;
      this.#angle = f;
    } else if (!f && Math.hypot(dx, dy) > 2) {
      this.#angle = (Math.atan2(dy, dx) * 180) / Math.PI;
    }
    this.#place = { x, y };
  }

  #showCast({ cast: [ability, until] }, rules, time) {
    const known = rules.abilities[ability];
    const left = known && until > time ? (until - time) / Math.max(1, known.cast_ms) : 0;
    mark(this.root, "casting", left > 0);
    set(this.#cast.lastElementChild, "width", (44 * (1 - Math.min(1, left))).toFixed(1));
  }

  #showEffects(effects) {
    mark(this.root, "stunned", effects.some(({ stuns }) => stuns));
    const shown = effects.slice(0, CHIPS_MAX);
    const key = shown.map(({ effect, stacks }) => `${effect}x${stacks}`).join();
    if (key === this.#chipsShown) {
      return;
    }
    this.#chipsShown = key;
    const first = -((shown.length - 1) * 15) / 2;
    this.#chips.replaceChildren(...shown.map((effect, i) => chip(effect, first + i * 15)));
  }
}

function chip({ name, element, stacks }, x) {
  const words = stacks > 1 ? String(stacks) : name.charAt(0).toUpperCase();
  return svg(
    "g",
    { transform: `translate(${x} 0)` },
    svg("circle", { r: 7, fill: hue(element) }),
    svg("text", { y: 3.6 }, words),
  );
}
