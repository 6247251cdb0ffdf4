// The drawings that the UI needs as elements rather than as pictures: the rider, who takes a tincture, the crest that is made up from a player's id, and the icons of the moves.

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
  time: [
    ["M10 3h28v6L28 24l10 15v6H10v-6l10-15L10 9z", "#e9ecff"],
    ["M14 9h20l-8 12h-4z", "#3ddcff"],
    ["M24 27l8 12H16z", "#3ddcff"],
  ],
  berserk: [
    ["M24 2c3 8 14 12 14 26 0 11-6 18-14 18S10 39 10 28c0-7 4-10 6-15 2 5 4 6 5 8 2-6 1-13 3-19z", "#ff5c4d"],
    ["M24 22c2 5 7 8 7 14 0 5-3 9-7 9s-7-4-7-9c0-6 5-9 7-14z", "#ffc53d"],
  ],
  pulse: [
    ["M24 2a22 22 0 1 1 0 44 22 22 0 0 1 0-44zm0 5a17 17 0 1 0 0 34 17 17 0 0 0 0-34z", "#7a84c2"],
    ["M24 11a13 13 0 1 1 0 26 13 13 0 0 1 0-26zm0 4a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "#8ce9ff"],
    ["M27 12L15 27h7l-2 10 13-16h-8z", "#ffe45c"],
  ],
  jam: [
    ["M4 18h30l10 4v6H24l-3 12h-9l3-12H4z", "#aab2e6"],
    ["M4 18h30l4 2H4z", "#e9ecff"],
    ["M6 6l4-4 34 36-4 4z", "#ff5c97"],
  ],
  shield: [
    ["M24 2l18 7v14c0 12-8 19-18 23C14 42 6 35 6 23V9z", "#2aa7cb"],
    ["M24 8l12 5v10c0 8-5 13-12 17z", "#1d7f9c"],
    ["M21 14h6v7h7v6h-7v7h-6v-7h-7v-6h7z", "#fff"],
  ],
  finish: [
    ["M24 2l5 17 17 5-17 5-5 17-5-17-17-5 17-5z", "#ffc53d"],
    ["M24 12l3 9 9 3-9 3-3 9-3-9-9-3 9-3z", "#7a1f56"],
    ["M22 22h4v4h-4z", "#fff"],
  ],
  dash: [
    ["M20 8l22 16-22 16 7-16z", "#ffc53d"],
    ["M8 14h10l3 4H8zM2 22h20v4H2zM8 30h13l-3 4H8z", "#e9ecff"],
  ],
  medkit: [
    ["M4 14h40v28H4z", "#e9ecff"],
    ["M16 14V6h16v8h-4v-4h-8v4z", "#aab2e6"],
    ["M20 19h8v6h6v7h-6v6h-8v-6h-6v-7h6z", "#ff4d6d"],
  ],
  stim: [
    ["M34 4l10 10-4 4-2-2-16 16-10 2 2-10 16-16-2-2z", "#e9ecff"],
    ["M24 18l6 6-9 8-7 1 1-7z", "#9bf05a"],
    ["M12 32l4 4L5 45l-2-2z", "#aab2e6"],
  ],
  revive: [
    ["M24 44L6 26C0 16 10 4 20 10l4 4 4-4c10-6 20 6 14 16z", "#ff4d6d"],
    ["M21 16h6v7h7v6h-7v7h-6v-7h-7v-6h7z", "#fff"],
  ],
};

/** The icon of a move. */
export function moveIcon(kind) {
  return svg(
    "svg",
    { viewBox: "0 0 48 48", "aria-hidden": "true" },
    ...(ICONS[kind] ?? ICONS.finish).map(([d, fill]) => svg("path", { d, fill })),
  );
}
