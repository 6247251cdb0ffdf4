// The stage: the field with everybody on it, the plates of both sides, and what is announced over them.

import { modifiersOf } from "../rules.js";
import { clockFace, sentence } from "../words.js";
import { el, lively, mark, say, show } from "./dom.js";
import { Ground } from "./ground.js";
import { Marks } from "./marks.js";
import { Floats } from "./floats.js";
import { Pointer } from "./pointer.js";
import { Roster } from "./roster.js";
import { resultWords, standings, verdict } from "./result.js";
import { CROWD, Scenes } from "./scenes.js";
import { Sparks } from "./sparks.js";
import { Unit } from "./unit.js";

const SHOUT_MS = 1000;
const TINCTURES = ["#ffc53d", "#ff5c97", "#3ddcff", "#9bf05a"];

export class Stage {
  #root;
  #game;
  #session = null;
  #units = new Map();
  #ground = new Ground();
  #floats = new Floats();
  #canvas = el("canvas", { class: "sparks", "aria-hidden": "true" });
  #sparks = new Sparks(this.#canvas);
  #hurt = el("div", { class: "hurt", "aria-hidden": "true" });
  #clock = el("span", { class: "over-clock" });
  #score = el("span", { class: "over-score" });
  #over = el("div", { class: "over", role: "timer", "aria-label": "Time left", hidden: true }, this.#clock, this.#score);
  #figure = el("span", { class: "count-figure" });
  #words = el("span", { class: "count-words" });
  #count = el("div", { class: "count", hidden: true }, this.#figure, this.#words);
  #result = el("div", { class: "result", role: "region", "aria-label": "Result", hidden: true });
  #roster;
  #scenes;
  #shown = null;

  /** `onStrike` hears the slot of a rival that was clicked, `onThing` the cover or hazard. */
  constructor(root, game, { onStrike, onThing }) {
    this.#root = root;
    this.#game = game;
    this.#roster = new Roster(game);
    const { allies, foes } = this.#roster;
    const over = [this.#hurt, this.#over, this.#count, this.#canvas, this.#floats.root, this.#result];
    root.append(allies, el("div", { class: "ground-place" }, this.#ground.root), foes, ...over);
    new Pointer(this.#ground, game, this.#units, { onStrike, onThing });
    this.#scenes = new Scenes({
      game,
      ground: this.#ground,
      marks: new Marks(this.#ground.marks),
      units: this.#units,
      floats: this.#floats,
      sparks: this.#sparks,
      stage: root,
      onHurt: (hard) => this.#flinch(hard),
    });
    game.addEventListener("events", ({ detail }) => this.#play(detail));
  }

  /** Shows the game as it is. */
  render() {
    const game = this.#game;
    if (game.view === null) {
      this.#clear();
      return;
    }
    if (this.#session !== game.session) {
      this.#clear();
      this.#session = game.session;
    }
    this.#ground.lay(game.rules, game.view);
    this.#stand();
    this.#roster.update();
    if (game.outcome !== this.#shown) {
      this.#shown = game.outcome;
      this.#showResult();
    }
  }

  /** Shows what changes by itself as time goes on. */
  frame(now) {
    const game = this.#game;
    this.#sparks.frame(now);
    if (game.view === null || this.#session === null) {
      return;
    }
    game.stride();
    for (const unit of this.#units.values()) {
      unit.frame(game, this.#ground.unitScale);
    }
    this.#ground.dim(this.#eyes(), game.rules.sight_cm);
    this.#ground.aimAt(game.phase === "active" ? game.walk.goal : null);
    this.#roster.frame();
    this.#announce();
  }

  /** Where those stand through whose eyes the player sees. */
  #eyes() {
    const sees = ({ slot }) => !this.#game.isFoe(slot) && this.#game.view.participants[slot].status !== "eliminated";
    return [...this.#units.values()].filter(sees).map(({ place }) => place);
  }

  #announce() {
    const game = this.#game;
    const [figure, words] = announcement(game);
    show(this.#count, words !== null);
    say(this.#figure, figure ?? "");
    say(this.#words, words ?? "");
    const timed = game.phase === "active" && game.untilMs !== null && !game.outcome;
    const score = scoreWords(game);
    show(this.#over, timed || (score !== "" && !game.outcome));
    show(this.#clock, timed);
    say(this.#clock, timed ? clockFace(game.untilMs) : "");
    show(this.#score, score !== "");
    say(this.#score, score);
  }

  #clear() {
    this.#session = null;
    this.#shown = null;
    this.#units.forEach((unit) => unit.root.remove());
    this.#units.clear();
    this.#roster.clear();
    this.#floats.clear();
    for (const part of [this.#over, this.#count, this.#result]) {
      show(part, false);
    }
  }

  /** Everybody whom the player sees stands on the field; the others are not drawn at all. */
  #stand() {
    const { participants } = this.#game.view;
    for (const [slot, participant] of participants.entries()) {
      const unit = this.#units.get(slot);
      const gone = this.#game.isServers(slot) && participant.status === "eliminated";
      if (participant.hidden || gone) {
        unit?.root.remove();
        this.#units.delete(slot);
      } else if (!unit) {
        const come = new Unit(slot);
        this.#units.set(slot, come);
        this.#ground.units.append(come.root);
      }
    }
    for (const [slot, unit] of this.#units) {
      if (slot >= participants.length) {
        unit.root.remove();
        this.#units.delete(slot);
      } else {
        unit.update(this.#game);
      }
    }
    mark(this.#ground.units, "crowd", this.#units.size > CROWD);
    this.#raise(this.#game.slot);
    this.#raise(this.#game.target);
  }

  /** Draws a unit over all others. */
  #raise(slot) {
    const root = this.#units.get(slot)?.root;
    const { lastElementChild: last } = this.#ground.units;
    const raised = root === last || (slot === this.#game.slot && root === last?.previousElementSibling);
    if (root && !raised) {
      this.#ground.units.append(root);
    }
  }

  #play({ events, before, after }) {
    const places = new Map([...this.#units].map(([slot, unit]) => [slot, unit.place]));
    this.render();
    this.#scenes.play(events, places);
    if (before.phase.phase === "preparation" && after.phase.phase === "active") {
      this.#shout(after.phase.round > 0 ? `Round ${after.phase.round + 1}` : "Ride!");
    }
    if (events.some(({ k, by }) => k === "turn" && by === this.#game.slot)) {
      this.#shout("Your turn");
    }
  }

  #flinch(hard) {
    this.#hurt.animate([{ opacity: hard ? 1 : 0.6 }, { opacity: 0 }], { duration: 420, easing: "ease-out" });
    if (lively() && hard) {
      const at = (x, y) => ({ transform: `translate(${x}px, ${y}px)` });
      this.#ground.root.animate([at(0, 0), at(-6, 3), at(5, -3), at(-2, 2), at(0, 0)], { duration: 280 });
    }
  }

  #shout(words) {
    const node = el("div", { class: "shout", "aria-hidden": "true" }, words);
    this.#root.append(node);
    const steps = lively()
      ? [
          { transform: "scale(2.2)", opacity: 0 },
          { transform: "scale(1)", opacity: 1, offset: 0.2 },
          { transform: "scale(1.04)", opacity: 1, offset: 0.7 },
          { transform: "scale(.9)", opacity: 0 },
        ]
      : [{ opacity: 1 }, { opacity: 0 }];
    const fade = node.animate(steps, { duration: SHOUT_MS, easing: "ease-out", fill: "forwards" });
    fade.onfinish = () => node.remove();
  }

  #showResult() {
    const game = this.#game;
    const { outcome } = game;
    show(this.#result, outcome !== null);
    if (outcome === null) {
      return;
    }
    const [tone, title] = verdict(outcome, game);
    mark(this.#result, "tone", tone);
    this.#result.replaceChildren(
      el("p", { class: "result-title" }, title),
      el("p", { class: "result-words" }, resultWords(outcome, game)),
      standings(outcome.standings, game),
    );
    if (lively()) {
      this.#result.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 500, easing: "ease-out" });
      const landing = { duration: 450, easing: "cubic-bezier(.2, .9, .3, 1)" };
      this.#result.firstElementChild.animate([{ transform: "scale(1.8)" }, { transform: "none" }], landing);
      if (tone === "victory") {
        this.#celebrate();
      }
    }
  }

  #celebrate() {
    const { clientWidth: width, clientHeight: height } = this.#root;
    for (const [i, colour] of TINCTURES.entries()) {
      const x = (width * (i + 0.5)) / TINCTURES.length;
      this.#sparks.burst(x, height, { count: 50, colour, direction: -Math.PI / 2, power: 3.2 * Math.sqrt(height) * 10 });
    }
  }
}

/** What stands in the middle of the stage: a figure, and what it is. */
function announcement(game) {
  if (game.outcome) {
    return [null, null];
  }
  if (!game.live) {
    return ["…", "Connecting again"];
  }
  if (game.paused) {
    return ["Ⅱ", "Paused by the marshal"];
  }
  if (game.phase === "cooldown") {
    return [null, "The next round is on its way"];
  }
  if (game.phase !== "preparation") {
    return [null, null];
  }
  if (!game.full) {
    return [`${game.seated}/${game.view.seats}`, "seats taken"];
  }
  const until = game.untilMs;
  return until === null ? [null, "Waiting for the marshal"] : [String(Math.ceil(until / 1000)), "until the fight starts"];
}

/** Rounds won and scores to reach, where there are any; whose turn it is; and what rules this round. */
function scoreWords({ view, rules, me, slot }) {
  const words = [];
  if (rules.rounds > 1) {
    const wins = new Map(view.phase.wins ?? []);
    const others = [...wins].filter(([team]) => team !== me.team).map(([, n]) => n);
    words.push(`Rounds ${wins.get(me.team) ?? 0} : ${Math.max(0, ...others)} of ${rules.rounds}`);
  }
  if (rules.score_limit > 0) {
    words.push(`Score ${me.score} of ${rules.score_limit}`);
  }
  if (view.phase.turn === slot && view.phase.phase === "active") {
    words.push("Your turn");
  }
  words.push(...modifiersOf(view, rules).map(({ name }) => sentence(name)));
  return words.join(" · ");
}
