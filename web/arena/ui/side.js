// The side: what happened, in words, and the figures of the connection.

import { storyOf } from "../story.js";
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
    for (const name of ["Connection", "Round trip", "Move answered", "Median of moves", "Sequence", "Digest", "Deltas", "Rules", "Session"]) {
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
    this.#row("Rules", game.rules ? game.rules.title : "–");
    this.#row("Session", game.session === null ? "–" : `${game.session.slice(0, 8)}…${game.session.slice(-4)}`);
    this.#rows.get("Session").title = game.session ?? "";
    this.#rows.get("Rules").title = game.rules ? `${game.rules.name} ${game.rules.ruleset}` : "";
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

  /** One event as a line; names have the colours of their teams. */
  #line(event, before, after) {
    const story = storyOf(event, { before, after, game: this.#game });
    const team = (slot) => (after.participants[slot]?.team ?? slot ?? 0) % 8;
    const part = (one) => {
      if (typeof one === "string") {
        return one;
      }
      return "n" in one
        ? el("span", { class: "figure" }, String(one.n))
        : el("strong", { data: { team: team(one.slot) } }, one.name);
    };
    return story && el("li", { data: { team: story.slot === undefined ? "" : team(story.slot) } }, ...story.parts.map(part));
  }
}

/** The pill in the header: the same in short. `refuge` is the host that is played at since that of this page was gone. */
export function renderPill(node, game, shown, refuge) {
  show(node, shown);
  const { words } = linkWords(game);
  mark(node, "link", game.live ? "live" : game.link.name);
  const parts = [words, game.live && refuge && `at ${refuge}`, game.live && game.rttMs !== null && ms(game.rttMs)];
  say(node, parts.filter(Boolean).join(" · "));
}

function linkWords({ link, live }) {
  if (live) {
    return { words: "live", tone: "good" };
  }
  switch (link.name) {
    case "waiting":
      return { words: `reconnecting (${link.tries})`, tone: "busy" };
    case "closed":
      return { words: "closed", tone: "bad" };
    default:
      return { words: link.tries > 0 ? "reconnecting" : "connecting", tone: "busy" };
  }
}

function digestWords({ digests, drift }) {
  return digests + drift === 0 ? "–" : `${digests} ok, drift ${drift}`;
}

function ms(value) {
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}
