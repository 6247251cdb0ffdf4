// How it ended: the verdict for this player, why, and everybody's figures.

import { clockFace, ending, nameOf } from "../words.js";
import { crest } from "./art.js";
import { el, svg } from "./dom.js";
import { sign } from "./tokens.js";

/** More rows than this would not fit; the last ones of the server's enemies are left out. */
const ROWS_MAX = 10;

/** How it ended for this player: a tone and a title. */
export function verdict({ winner, team, reason }, game) {
  if (winner === undefined && team === undefined) {
    return reason === "time_limit" || reason === "last_standing" ? ["draw", "Draw"] : ["draw", "No contest"];
  }
  const won = team === undefined ? winner === game.slot : team === game.me?.team;
  return won ? ["victory", "Victory"] : ["defeat", "Defeat"];
}

/** What stands under the title. */
export function resultWords(outcome, game) {
  const winner = game.view.participants[outcome.winner];
  const lost = winner && outcome.winner !== game.slot && !game.teams;
  const who = lost ? `${nameOf(game.view, game.rules, outcome.winner)} wins. ` : "";
  const took = outcome.duration_ms === undefined ? "" : ` It took ${clockFace(outcome.duration_ms)}.`;
  return `${who}${ending(outcome.reason)}${took}`;
}

/** Everybody's figures, the winners' first. */
export function standings(rows, game) {
  const known = rows.every((row) => row.damage !== undefined);
  const shown = rows.filter((row, rank) => rank < ROWS_MAX || row.enemy === undefined);
  const heads = ["", "Rider", "Score", ...(known ? ["Damage", "Unhorsed"] : [])];
  return el(
    "table",
    { class: "standings", data: { many: shown.length > 6 || undefined } },
    el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, ...shown.map((row, rank) => standing(row, rank, known, game))),
  );
}

function standing(row, rank, known, game) {
  const { view, rules, slot } = game;
  const team = row.team ?? view.participants[row.slot]?.team ?? row.slot;
  const name = nameOf(view, rules, row.slot) + (row.slot === slot ? " (you)" : "");
  const enemy = rules.enemies?.[view.participants[row.slot]?.enemy];
  const face = enemy
    ? svg("svg", { class: "crest", viewBox: "-14 -14 28 28", "aria-hidden": "true" }, sign(enemy, 19))
    : crest(row.player);
  return el(
    "tr",
    { data: { slot: row.slot, team: team % 8 } },
    el("td", {}, String(rank + 1)),
    el("td", {}, el("span", { class: "standing" }, face, name)),
    el("td", {}, String(row.score)),
    ...(known ? [el("td", {}, String(row.damage)), el("td", {}, String(row.eliminations))] : []),
  );
}
