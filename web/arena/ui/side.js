// The side: what happened, in words, and the figures of the connection.

import { callsign } from "../words.js";
import { el, mark, say, show } from "./dom.js";

const LINES_MAX = 60;

export class Side {
  #game;
  #session = null;
  #feed = el("ol", { class: "feed", role: "log", "aria-label": "Events", tabindex: "0" });
  #rows = new Map();

  constructor(root, game) {
    this.#game = game;
    const figures = el("dl", { class: "figures" });
    for (const name of ["Connection", "Round trip", "Move answered", "Median of moves", "Sequence", "Digest", "Deltas", "Session"]) {
      const value = el("dd");
      this.#rows.set(name, value);
      figures.append(el("dt", {}, name), value);
    }
    root.append(
      el("section", { class: "box" }, el("h2", {}, "What happened"), this.#feed),
      el("section", { class: "box" }, el("h2", {}, "Connection"), figures),
    );
    game.addEventListener("events", ({ detail }) => this.#tell(detail));
  }

  /** Shows the figures as they are. */
  render() {
    const game = this.#game;
    if (this.#session !== game.session) {
      this.#session = game.session;
      this.#feed.replaceChildren();
    }
    const { words, tone } = linkWords(game);
    const { rtt, last, p50 } = game.latency;
    this.#row("Connection", words, tone);
    this.#row("Round trip", rtt === null ? "–" : ms(rtt));
    this.#row("Move answered", last === null ? "–" : `after ${ms(last)}`);
    this.#row("Median of moves", p50 === null ? "–" : ms(p50));
    this.#row("Sequence", game.q === undefined ? "–" : `q ${game.q}`);
    this.#row("Digest", digestWords(game), game.drift > 0 ? "bad" : game.digests > 0 ? "good" : null);
    this.#row("Deltas", `${game.deltas} + ${game.snapshots} snapshot${game.snapshots === 1 ? "" : "s"}`);
    this.#row("Session", game.session === null ? "–" : `${game.session.slice(0, 8)}…${game.session.slice(-4)}`);
    this.#rows.get("Session").title = game.session ?? "";
  }

  #row(name, words, tone) {
    const node = this.#rows.get(name);
    say(node, words);
    mark(node, "tone", tone);
  }

  #tell({ events, before, after }) {
    for (const event of events) {
      const line = this.#line(event, before, after);
      if (line) {
        this.#feed.append(line);
      }
    }
    while (this.#feed.childElementCount > LINES_MAX) {
      this.#feed.firstElementChild.remove();
    }
    this.#feed.scrollTop = this.#feed.scrollHeight;
  }

  #line({ k, by, to, n, crit, guarded }, before, after) {
    const who = (slot, start) => this.#who(after, slot, start);
    const figure = el("span", { class: "figure" }, String(n ?? 0));
    const line = (...words) => el("li", { data: { slot: by ?? to ?? "" } }, ...words);
    switch (k) {
      case "hit":
        return line(who(by, true), crit ? " crit " : " hit ", who(to), " for ", figure, guarded ? " through the shield" : "");
      case "guard":
        return line(who(by, true), by === this.#game.slot ? " raise the shield" : " raises the shield");
      case "eliminated":
        return line(who(to, true), to === this.#game.slot ? " are unhorsed" : " is unhorsed", ...(by === undefined ? [] : [" by ", who(by)]));
      case "seated":
        return line(who(by, true), by === this.#game.slot ? " take a seat" : " takes a seat");
      case "ready":
        return line(who(by, true), by === this.#game.slot ? " are ready" : " is ready");
      case "connected":
        return line(who(by, true), by === this.#game.slot ? " are here" : " is here");
      case "disconnected":
        return line(who(by, true), " lost the connection");
      case "forfeited":
        return line(who(by, true), by === this.#game.slot ? " give up" : " gives up");
      case "phase":
        return phaseLine(before.phase, after.phase);
      default:
        return null;
    }
  }

  #who(view, slot, start) {
    const player = view.participants[slot]?.player;
    const name = slot === this.#game.slot ? (start ? "You" : "you") : player ? callsign(player) : `Seat ${slot + 1}`;
    return el("strong", { data: { slot } }, name);
  }
}

/** The pill in the header: the same in short. */
export function renderPill(node, game, shown) {
  show(node, shown);
  const { words } = linkWords(game);
  mark(node, "link", game.live ? "live" : game.link.name);
  say(node, game.live && game.rttMs !== null ? `${words} · ${ms(game.rttMs)}` : words);
}

function linkWords({ link, live }) {
  if (live) {
    return { words: "live", tone: "good" };
  }
  switch (link.name) {
    case "waiting":
      return { words: `reconnecting (${link.attempt})`, tone: "busy" };
    case "closed":
      return { words: "closed", tone: "bad" };
    default:
      return { words: link.attempt > 0 ? "reconnecting" : "connecting", tone: "busy" };
  }
}

function digestWords({ digests, drift }) {
  return digests + drift === 0 ? "–" : `${digests} ok, drift ${drift}`;
}

function phaseLine(before, after) {
  const words = phaseWords(before, after);
  return words ? el("li", {}, words) : null;
}

function phaseWords(before, after) {
  if (after.status === "paused") {
    return "The fight is paused.";
  }
  if (before.status === "paused") {
    return "The fight goes on.";
  }
  if (before.phase !== "active" && after.phase === "active") {
    return "The fight starts.";
  }
  if (before.phase === "active" && after.phase !== "active") {
    return "The fight is over.";
  }
  return after.phase === "preparation" && after.until !== undefined ? "Everybody is here: the countdown runs." : null;
}

function ms(value) {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}
