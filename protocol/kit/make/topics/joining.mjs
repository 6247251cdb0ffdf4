import { RULES, RULES_HASH, SESSION, TIMERS, duel, handle, write } from "../script.mjs";

const s = handle(SESSION);
const refusedForGood = [
  ["no_session", "There is no such session, or it is not this player's."],
  ["not_a_participant", "The player has no seat in this session."],
  ["session_ended", "The session has ended."],
  ["unauthorized", "A valid bearer token or ticket is needed."],
];

export const topic = "Getting in, and what is not understood";
export const cases = [
  write("joins a session", "A first join says nothing of a sequence, an epoch or rules; then the view is the snapshot's.", {}, (c) => {
    c.does("connect", { session: SESSION }).dials(0, 0);
    c.client("join", { session: SESSION }, { lacks: ["seq", "epoch", "rules"] });
    c.holds({ status: "joining" });
    c.joined({ slot: 1, team: 1 }).snapshot();
    c.told([{ t: "joined" }, { t: "snapshot" }], ["missed", "drift", "left"]);
    c.right({ view: duel(), slot: 1, team: 1, rules: RULES_HASH, pending: [], applied: 0 });
    c.quiet(20_000);
  }),
  write("does not know every message", "Messages of types that a client does not know are for newer ones.", {}, (c) => {
    c.begins();
    c.server("weather", { s, wind: [3, 4] }).server("tidings", { text: "x" });
    c.delta({ p: [{ i: 0, hp: 90 }] });
    c.right().quiet(1_000);
  }),
  write("does not know every field", "Unknown fields are ignored wherever they are.", {}, (c) => {
    c.does("connect", { session: SESSION }).dials(0, 0).client("join", { session: SESSION });
    c.joined({ mood: "calm", timers: { ...TIMERS, nap_ms: 5 }, rules: { ...RULES, weather: { wind: 3 } } });
    c.snapshot({ mood: [1, 2, { deep: true }] });
    c.delta({ mood: 7, p: [{ i: 1, hp: 80, aura: [1, 2] }], ev: [{ k: "hit", by: 0, to: 1, n: 20, colour: "red" }] });
    c.server("ack", { s, id: 77, q: 11, mood: 1 });
    c.right();
    c.told([{ t: "event", d: { k: "hit", by: 0, to: 1, n: 20 } }]);
  }),
  write("does not know every event", "Kinds of events may be added, and what an event says is told as it came.", {}, (c) => {
    c.begins();
    c.delta({ ev: [{ k: "sneezed", by: 1 }, { k: "guard", by: 0 }] });
    c.right();
    c.told([{ t: "event", d: { k: "guard", by: 0 } }], ["drift"]);
  }),
  write(
    "does not know every word",
    "A status, a phase or an end that a client does not know has no code: it leaves the digest of such a view out, and goes on.",
    {},
    (c) => {
      c.begins();
      c.delta({ ph: { status: "ascending", phase: "afterglow", state: "afterglow", end: "ascended" }, p: [{ i: 1, hp: 3 }] }, { h: 7 });
      c.holds({ status: "live", q: 11 }).delta({ p: [{ i: 1, status: "dreaming" }] }, { h: 8 }).holds({ status: "live", q: 12 });
      c.delta({ p: [{ i: 1, status: "active" }], ph: { status: "active", phase: "active", state: "active", until: 905_000 } }).right();
      c.server("refused", { s, id: 0, reason: "mercury_in_retrograde" }).server("error", { re: "ready", s, reason: "bad_hair", message: "Not today." });
      c.timed("result", { q: 13, reason: "ascended", duration_ms: 5_000, standings: [] });
      c.told([{ t: "delta" }, { t: "refused" }, { t: "error" }, { t: "result" }], ["drift"]).right();
      c.server("left", { s, why: "transcended" }).holds({ status: "closed" }).told([{ t: "left" }, { t: "closed" }]).quiet(60_000);
    },
  ),
  ...refusedForGood.map(([reason, message]) =>
    write(`is refused with ${reason}`, "Another try would be answered alike: the client does not come back by itself.", {}, (c) => {
      c.does("connect", { session: SESSION }).dials(0, 0).client("join", { session: SESSION });
      c.server("error", { reason, message });
      c.told([{ t: "error", d: { reason } }, { t: "closed" }]).holds({ status: "closed" });
      c.quiet(120_000);
    }),
  ),
  write("is told to join later", "The same connection asks again when it was told to.", {}, (c) => {
    c.does("connect", { session: SESSION }).dials(0, 0).client("join", { session: SESSION });
    c.server("error", { reason: "too_many_requests", message: "More requests than this caller may send; try again.", retry_ms: 700 });
    c.client("join", { session: SESSION }, { within: [700, 3_000] });
    c.joined().snapshot().right();
  }),
  write("leaves", "Who leaves is out, and stays so.", {}, (c) => {
    c.begins().does("leave").client("leave", { s }).server("left", { s, why: "asked" });
    c.told([{ t: "left", d: { why: "asked" } }, { t: "closed" }]).holds({ status: "closed" });
    c.quiet(120_000);
  }),
  write("closes", "Whoever closes the client is not connected again.", {}, (c) => {
    c.begins().does("close").step({ client_closes: [0, 0] });
    c.holds({ status: "closed" }).quiet(120_000);
  }),
  write("learns the result", "The result is told as it came, and what comes after it is followed.", {}, (c) => {
    c.begins();
    const standing = { player: duel().participants[0].player, score: 40, eliminations: 1, damage: 150 };
    const standings = [{ slot: 0, team: 0, ...standing }, { slot: 1, team: 1, ...standing, player: duel().participants[1].player, score: 3 }];
    c.delta({ ph: { status: "active", phase: "cooldown", state: "cooldown", until: 20_000, winner: 0, team: 0, end: "last_standing" } });
    c.timed("result", { q: 11, reason: "last_standing", winner: 0, team: 0, duration_ms: 5_000, standings });
    c.delta({ ph: { status: "completed", phase: "finished", state: "finished", winner: 0, team: 0, end: "last_standing" } });
    c.right().told([{ t: "result", d: { reason: "last_standing", winner: 0, standings } }]);
    c.closes(4410).holds({ status: "closed", code: 4410 }).quiet(120_000);
  }),
];
