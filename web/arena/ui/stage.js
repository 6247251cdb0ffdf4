// The stage: the riders in their places, what happens between them, and what is announced over them.

import { callsign, clockFace, ending } from "../words.js";
import { crest } from "./art.js";
import { el, lively, mark, say, show } from "./dom.js";
import { Rider, STRIKE_MS } from "./rider.js";
import { Sparks } from "./sparks.js";

const FLOAT_MS = 1100;
const SHOUT_MS = 1000;
const FACING = ["right", "left", "left", "left"];
const FACING_BRAWL = ["right", "right", "left", "left"];
const TINCTURES = ["#ffc53d", "#ff5c97", "#3ddcff", "#9bf05a"];

export class Stage {
  #root;
  #game;
  #onStrike;
  #session = null;
  #riders = [];
  #list = el("div", { class: "riders" });
  #canvas = el("canvas", { class: "sparks", "aria-hidden": "true" });
  #sparks = new Sparks(this.#canvas);
  #floats = el("div", { class: "floats", "aria-hidden": "true" });
  #hurt = el("div", { class: "hurt", "aria-hidden": "true" });
  #clock = el("span", { class: "over-clock" });
  #over = el("div", { class: "over", role: "timer", "aria-label": "Time left", hidden: true }, this.#clock);
  #figure = el("span", { class: "count-figure" });
  #words = el("span", { class: "count-words" });
  #count = el("div", { class: "count", hidden: true }, this.#figure, this.#words);
  #result = el("div", { class: "result", role: "region", "aria-label": "Result", hidden: true });
  #shown = null;

  /** `onStrike` hears the slot of a rival that was clicked. */
  constructor(root, game, onStrike) {
    this.#root = root;
    this.#game = game;
    this.#onStrike = onStrike;
    root.append(this.#list, this.#hurt, this.#over, this.#count, this.#canvas, this.#floats, this.#result);
    game.addEventListener("events", ({ detail }) => this.#play(detail));
  }

  /** Shows the game as it is. */
  render() {
    const game = this.#game;
    if (game.view === null) {
      this.#clear();
      return;
    }
    this.#seat();
    for (const rider of this.#riders) {
      rider.update(game);
    }
    if (game.outcome !== this.#shown) {
      this.#shown = game.outcome;
      this.#showResult();
    }
  }

  /** Shows what changes by itself as time goes on. */
  frame(now) {
    const game = this.#game;
    this.#sparks.frame(now);
    if (game.view === null) {
      return;
    }
    for (const rider of this.#riders) {
      rider.frame(game);
    }
    const [figure, words] = announcement(game);
    show(this.#count, words !== null);
    say(this.#figure, figure ?? "");
    say(this.#words, words ?? "");
    const timed = game.phase === "active" && game.untilMs !== null && !game.outcome;
    show(this.#over, timed);
    if (timed) {
      say(this.#clock, clockFace(game.untilMs));
    }
  }

  #clear() {
    this.#session = null;
    this.#shown = null;
    this.#riders = [];
    this.#list.replaceChildren();
    this.#floats.replaceChildren();
    for (const part of [this.#over, this.#count, this.#result]) {
      show(part, false);
    }
  }

  #seat() {
    const game = this.#game;
    if (this.#session === game.session && this.#riders.length === game.view.seats) {
      return;
    }
    this.#clear();
    this.#session = game.session;
    const { seats } = game.view;
    const facing = seats > 2 ? FACING_BRAWL : FACING;
    for (let place = 0; place < seats; place += 1) {
      const slot = (game.slot + place) % seats;
      const rider = new Rider({
        slot,
        place,
        facing: facing[place % facing.length],
        mine: place === 0,
        onStrike: () => this.#onStrike(slot),
        onAim: () => game.aim(slot),
      });
      this.#riders[slot] = rider;
      this.#list.append(rider.root);
    }
    mark(this.#list, "seats", seats > 2 ? 4 : 2);
  }

  #play({ events, before, after }) {
    this.render();
    for (const event of events) {
      if (event.k === "hit") {
        this.#hit(event);
      } else if (event.k === "eliminated" && this.#riders[event.to]) {
        this.#burst(event.to, -Math.PI / 2, { count: 60, power: 520 });
      }
    }
    if (before.phase.phase === "preparation" && after.phase.phase === "active") {
      this.#shout("Ride!");
    }
  }

  #hit({ by, to, n, crit, guarded }) {
    const [striker, struck] = [this.#riders[by], this.#riders[to]];
    if (!struck) {
      return;
    }
    const [from, at] = [this.#middle(striker ?? struck), this.#middle(struck)];
    const [dx, dy] = [at.x - from.x, at.y - from.y];
    striker?.strike(dx, dy);
    const land = () => {
      const tone = guarded ? "guarded" : crit ? "crit" : null;
      struck.recoil(dx, crit);
      this.#float(at, String(n ?? 0), guarded ? "guarded" : crit ? "critical" : "", tone);
      this.#burst(to, Math.atan2(dy, dx), { count: crit ? 46 : 24, power: crit ? 620 : 420, guarded });
      if (to === this.#game.slot) {
        this.#flinch(crit);
      }
    };
    if (lively()) {
      setTimeout(land, STRIKE_MS);
    } else {
      land();
    }
  }

  #flinch(hard) {
    this.#hurt.animate([{ opacity: hard ? 1 : 0.7 }, { opacity: 0 }], { duration: 420, easing: "ease-out" });
    if (lively() && hard) {
      const at = (x, y) => ({ transform: `translate(${x}px, ${y}px)` });
      this.#list.animate([at(0, 0), at(-7, 4), at(6, -4), at(-3, 2), at(0, 0)], { duration: 300 });
    }
  }

  #burst(slot, direction, { count, power, guarded }) {
    if (lively()) {
      const { x, y } = this.#middle(this.#riders[slot]);
      this.#sparks.burst(x, y, { count, power, direction, colour: guarded ? "#8ce9ff" : TINCTURES[slot % 4] });
    }
  }

  #float({ x, y }, text, words, tone) {
    const node = el("span", { class: "float" }, text);
    if (words) {
      node.append(el("small", {}, words));
    }
    mark(node, "tone", tone);
    node.style.left = `${x + (Math.random() - 0.5) * 50}px`;
    node.style.top = `${y - 30}px`;
    this.#floats.append(node);
    const rise = lively() ? -80 : 0;
    const fade = node.animate(
      [
        { transform: "scale(.5)", opacity: 0 },
        { transform: "scale(1.25)", opacity: 1, offset: 0.12 },
        { transform: "scale(1)", opacity: 1, offset: 0.3 },
        { transform: `translateY(${rise}px)`, opacity: 0 },
      ],
      { duration: FLOAT_MS, easing: "ease-out", fill: "forwards" },
    );
    fade.onfinish = () => node.remove();
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

  #middle(rider) {
    const stage = this.#root.getBoundingClientRect();
    const mount = rider.mount.getBoundingClientRect();
    return {
      x: mount.left - stage.left + mount.width / 2,
      y: mount.top - stage.top + mount.height * 0.45,
    };
  }

  #showResult() {
    const { outcome, slot, view } = this.#game;
    show(this.#result, outcome !== null);
    if (outcome === null) {
      return;
    }
    const [tone, title] = verdict(outcome, slot);
    mark(this.#result, "tone", tone);
    const winner = view.participants[outcome.winner];
    const who = tone === "defeat" && winner ? `${callsign(winner.player)} wins. ` : "";
    const duration = outcome.duration_ms === undefined ? "" : ` It took ${clockFace(outcome.duration_ms)}.`;
    this.#result.replaceChildren(
      el("p", { class: "result-title" }, title),
      el("p", { class: "result-words" }, `${who}${ending(outcome.reason)}${duration}`),
      standings(outcome.standings, slot),
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
  if (game.phase !== "preparation") {
    return [null, null];
  }
  if (!game.full) {
    return [`${game.view.participants.length}/${game.view.seats}`, "seats taken"];
  }
  const until = game.untilMs;
  return until === null ? [null, "Waiting for the marshal"] : [String(Math.ceil(until / 1000)), "until the fight starts"];
}

/** How it ended for the player in `slot`. */
function verdict({ winner, reason }, slot) {
  if (winner !== undefined) {
    return winner === slot ? ["victory", "Victory"] : ["defeat", "Defeat"];
  }
  return reason === "time_limit" || reason === "last_standing" ? ["draw", "Draw"] : ["draw", "No contest"];
}

function standings(rows, mine) {
  const known = rows.every((row) => row.damage !== undefined);
  const heads = ["", "Rider", "Score", ...(known ? ["Damage", "Unhorsed"] : [])];
  return el(
    "table",
    { class: "standings" },
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
    el(
      "tbody",
      {},
      ...rows.map((row, rank) =>
        el(
          "tr",
          { data: { slot: row.slot } },
          el("td", {}, String(rank + 1)),
          el("td", {}, el("span", { class: "standing" }, crest(row.player), callsign(row.player) + (row.slot === mine ? " (you)" : ""))),
          el("td", {}, String(row.score)),
          ...(known ? [el("td", {}, String(row.damage)), el("td", {}, String(row.eliminations))] : []),
        ),
      ),
    ),
  );
}
