// The views whose words are spelled out, from the emptiest to one that has everything.

import { ANN, BOB, CAT, duel, fighter } from "./script.mjs";

export const vectors = [
  {
    name: "nobody is there",
    view: {
      phase: { status: "initializing", phase: "preparation", state: "preparation" },
      seats: 2,
      participants: [],
      covers: [],
      hazards: [],
      modifiers: [],
    },
  },
  { name: "a duel under way", view: duel() },
  {
    name: "with all there is",
    view: duel({
      phase: {
        status: "completed", phase: "finished", state: "würfeln", until: 4_294_967_296, winner: 0, team: 1, end: "pause_limit", round: 3,
        wins: [[0, 2], [1, 1]], turn: 1, turn_until: 8_589_934_592_123,
      },
      participants: [
        fighter(ANN, 0, { x: -1, y: -2_147_483_648, effects: [[0, 3, 9_007_199_254_740_991], [254, 255, 0]], cast: [0, 4_294_967_295] }),
        fighter(BOB, 1, { status: "disconnected", hidden: true, ready: false }),
        fighter(CAT, 1, { status: "eliminated", enemy: 0, phase: 1, charge: 100, ammo: 6, reload_at: 70_000, used: [[0, 2, 61_000]] }),
      ],
      covers: [40, 0],
      hazards: [[10, 0], [0, 1]],
      modifiers: [0, 4],
    }),
  },
  {
    name: "some face somewhere and go somewhere",
    view: duel({
      participants: [
        fighter(ANN, 0, { f: 359, vx: -1, vy: 850, charge: 7 }),
        fighter(BOB, 1),
        fighter(CAT, 1, { vy: -1_000_000 }),
        fighter(ANN, 0, { f: 1 }),
      ],
    }),
  },
];
