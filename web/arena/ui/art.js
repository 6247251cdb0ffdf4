// The drawings that the UI needs as elements rather than as pictures: the rider, whose parts move and take the rider's
// tincture, the crest that is made up from a player's id, and the icons of the moves.

import { svg } from "./dom.js";

let rider = null;

/** Fetches the rider; once, before anything is shown. */
export async function loadArt() {
  const response = await fetch(new URL("../art/rider.svg", import.meta.url));
  const drawing = new DOMParser().parseFromString(await response.text(), "image/svg+xml").documentElement;
  drawing.removeAttribute("color");
  drawing.setAttribute("aria-hidden", "true");
  rider = drawing;
}

/** A rider. */
export function riderArt() {
  return document.importNode(rider, true);
}

const FIELD = "M1 1h22v12c0 7-4 11-11 14C5 24 1 20 1 13z";
const DIVISIONS = [
  "M12 1h11v12c0 7-4 11-11 14z",
  "M1 1h22L3 19c-1-2-2-4-2-6z",
  "M1 1h22v7H1z",
  "M12 9l11 9-3 4-8-7-8 7-3-4z",
  "M9 1h6v25l-3 1-3-1z",
  "M1 1h11v12H1zM12 13h11c0 7-4 11-11 14z",
  "M1 10h22v6H1z",
  "M1 1h4v19l-2-2c-1-2-2-3-2-5zM19 1h4v12c0 2-1 3-2 5l-2 2z",
];
const CHARGES = [
  "M12 6l2 5 5 .4-4 3.200 1.300 5-4.300-2.700-4.300 2.700 1.300-5-4-3.200 5-.4z",
  "M14 5L7 14h4l-2 8 8-10h-4z",
  "M10.500 6h3v5h4v3h-4v7h-3v-7h-4v-3h4z",
  "M15 6a7.500 7.500 0 1 0 0 14 6 6 0 1 1 0-14z",
  "M12 5l5 8-5 9-5-9z",
  "M7 7h2v2h2V7h2v2h2V7h2v5h-2v8H9v-8H7z",
  "M12 7a6 6 0 1 1 0 12 6 6 0 0 1 0-12zm0 3a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
  "M6 8l6-3 6 3-2 2v4l3 6H5l3-6v-4z",
];

/** The arms of a player, the same on every screen; in the tincture of the seat they are shown for. */
export function crest(player) {
  const bits = parseInt(player.slice(-8), 16);
  return svg(
    "svg",
    { class: "crest", viewBox: "0 0 24 28", "aria-hidden": "true" },
    svg("path", { d: FIELD, fill: "var(--tincture)" }),
    svg("path", { d: DIVISIONS[(bits >>> 5) % DIVISIONS.length], fill: "#0b0817", "fill-opacity": "0.55" }),
    svg("path", { d: CHARGES[(bits >>> 17) % CHARGES.length], fill: "#fff" }),
    svg("path", { d: FIELD, fill: "none", stroke: "#fff", "stroke-opacity": "0.7" }),
  );
}

/** The arms of nobody yet. */
export function blankCrest() {
  return svg(
    "svg",
    { class: "crest", viewBox: "0 0 24 28", "aria-hidden": "true" },
    svg("path", { d: FIELD, fill: "none", stroke: "#bdb6dd", "stroke-dasharray": "3 2" }),
  );
}

const ICONS = {
  attack: [
    ["M3 41L34 8l6-5-3 8L9 45z", "#e9ecff"],
    ["M3 41L34 8l6-5L6 43z", "#fff"],
    ["M12 24l12 11-6 3-10-9z", "#ffc53d"],
    ["M36 3l8 1-1 8z", "#ff5c97"],
  ],
  defend: [
    ["M6 6l18-4 18 4v16c0 12-8 20-18 24C14 42 6 34 6 22z", "#8ce9ff"],
    ["M24 7l13 3v12c0 9-6 15-13 18z", "#1d7f9c"],
    ["M24 7L11 10v12c0 9 6 15 13 18z", "#2aa7cb"],
    ["M21 13h6v8h7v5h-7v9l-3 2-3-2v-9h-7v-5h7z", "#fff"],
  ],
};

/** The icon of a move. */
export function moveIcon(kind) {
  return svg(
    "svg",
    { viewBox: "0 0 48 48", "aria-hidden": "true" },
    ...ICONS[kind].map(([d, fill]) => svg("path", { d, fill })),
  );
}
