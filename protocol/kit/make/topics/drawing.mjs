import { BOB, SESSION, handle, write } from "../script.mjs";

const s = handle(SESSION);
const OTHERS = { needs: ["interpolate"] };
const OWN = { needs: ["predict"] };
/** Where the participant in slot 1 is drawn at a session time. */
const drawn = (c, at, place) => c.holds({ places: [{ slot: 1, at, place }] });
/** Where the player's own figure is drawn now. */
const own = (c, x, y) => c.holds({ places: [{ slot: 0, place: { x, y } }] });

export const topic = "Drawing: others between two places, oneself ahead of the server";
export const cases = [
  write(
    "goes from place to place",
    "Between two places the way is straight and even; before the first and after the last one it stands.",
    OTHERS,
    (c) => {
      c.begins().delta({ p: [{ i: 1, x: 3_600, y: 2_500 }] }).delta({ p: [{ i: 1, x: 3_700, y: 2_600 }] });
      drawn(c, 5_050, { x: 3_550, y: 2_500 });
      drawn(c, 5_100, { x: 3_600, y: 2_500 });
      drawn(c, 5_125, { x: 3_625, y: 2_525 });
      drawn(c, 4_000, { x: 3_500, y: 2_500 });
      drawn(c, 9_000, { x: 3_700, y: 2_600 });
    },
  ),
  write("has stood still", "A delta that says nothing of a participant says that it has not moved until then.", OTHERS, (c) => {
    c.begins().delta({}, { ms: 900 }).delta({ p: [{ i: 1, x: 3_600, y: 2_500 }] });
    drawn(c, 5_500, { x: 3_500, y: 2_500 });
    drawn(c, 5_950, { x: 3_550, y: 2_500 });
    drawn(c, 6_000, { x: 3_600, y: 2_500 });
  }),
  write("is not seen", "Who is hidden is nowhere, and who comes into sight is where it is, without a way there.", OTHERS, (c) => {
    c.begins().delta({ p: [{ i: 1, hidden: true }] });
    drawn(c, 5_050, null);
    c.delta({ p: [{ i: 1, player: BOB, team: 1, status: "active", score: 0, hp: 50, x: 100, y: 200 }] });
    drawn(c, 5_150, { x: 100, y: 200 });
    c.delta({ p: [{ i: 1, x: 200, y: 200 }] });
    drawn(c, 5_250, { x: 150, y: 200 });
  }),
  write("a round begins", "A patch with `player` is no step: who is put somewhere is there at once.", OTHERS, (c) => {
    c.begins().delta({ p: [{ i: 1, player: BOB, team: 1, status: "active", ready: true, score: 0, hp: 100, x: 900, y: 800 }] });
    drawn(c, 5_050, { x: 900, y: 800 });
    drawn(c, 5_100, { x: 900, y: 800 });
  }),
  write("a new view has no way from the old one", "After a snapshot everybody is where it says.", OTHERS, (c) => {
    c.begins().delta({ p: [{ i: 1, x: 3_600, y: 2_500 }] });
    Object.assign(c.of(), { q: 40, at: 9_000 });
    Object.assign(c.of().view.participants[1], { x: 10, y: 20 });
    c.snapshot({ missed: { events: 3, from: 12, to: 40 } });
    drawn(c, 8_000, { x: 10, y: 20 });
  }),
  write("goes at once", "One's own figure is where one has said that it is, until the server has applied that or refused it.", OWN, (c) => {
    c.begins();
    own(c, 1_500, 2_500);
    c.acts(1, { kind: "move", x: 1_520, y: 2_500 });
    own(c, 1_520, 2_500);
    c.acts(2, { kind: "move", x: 1_540, y: 2_500 });
    own(c, 1_540, 2_500);
    c.server("ack", { s, id: 1, q: 11 });
    c.of().id = 1;
    c.delta({ p: [{ i: 0, x: 1_520, y: 2_500 }] });
    own(c, 1_540, 2_500);
    c.server("ack", { s, id: 2, q: 12 });
    own(c, 1_540, 2_500);
    c.of().id = 2;
    c.delta({ p: [{ i: 0, x: 1_540, y: 2_500 }] });
    own(c, 1_540, 2_500);
  }),
  write("is put back", "A step that was refused did not happen.", OWN, (c) => {
    c.begins().acts(1, { kind: "move", x: 1_520, y: 2_500 }).acts(2, { kind: "move", x: 4_000, y: 2_500 });
    own(c, 4_000, 2_500);
    c.server("refused", { s, id: 2, reason: "too_fast", x: 1_520, y: 2_500, allowed_cm: 20 });
    own(c, 1_520, 2_500);
    c.server("refused", { s, id: 1, reason: "stunned" });
    own(c, 1_500, 2_500);
  }),
  write("is moved by others", "What the server shows with all of one's own steps applied is where one is.", OWN, (c) => {
    c.begins().acts(1, { kind: "move", x: 1_520, y: 2_500 }).server("ack", { s, id: 1, q: 11 });
    c.of().id = 1;
    c.delta({ p: [{ i: 0, x: 1_520, y: 2_500 }] });
    c.delta({ ev: [{ k: "hit", by: 1, to: 0, n: 5, a: 0 }], p: [{ i: 0, hp: 95, x: 1_200, y: 2_400 }] });
    own(c, 1_200, 2_400);
  }),
  write("is not drawn back", "Who has been moved goes on from there: what it said before is steps, and no places to go back to.", OWN, (c) => {
    c.begins();
    c.acts(1, { kind: "ability", a: 0, x: 2_100, y: 2_500 });
    c.acts(2, { kind: "move", x: 1_520, y: 2_510 });
    own(c, 1_520, 2_510);
    c.server("ack", { s, id: 1, q: 11 });
    c.of().id = 1;
    c.delta({ ev: [{ k: "used", by: 0, a: 0 }], p: [{ i: 0, x: 2_100, y: 2_500 }] });
    own(c, 2_120, 2_510);
    c.acts(3, { kind: "move", x: 2_140, y: 2_510 });
    own(c, 2_140, 2_510);
    c.server("refused", { s, id: 2, reason: "too_fast", x: 2_100, y: 2_500, allowed_cm: 100 });
    own(c, 2_120, 2_500);
    c.server("ack", { s, id: 3, q: 12 });
    c.of().id = 3;
    c.delta({ p: [{ i: 0, x: 2_140, y: 2_510 }] });
    own(c, 2_140, 2_510);
  }),
];
