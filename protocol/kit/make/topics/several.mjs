import { ANN, CAT, OTHER, RULES_HASH, SESSION, duel, fighter, handle, write } from "../script.mjs";

const s = handle(SESSION);
const t = handle(OTHER);
const other = duel({ participants: [fighter(CAT, 0, { x: 100, y: 100 }), fighter(ANN, 1, { x: 900, y: 100 })] });
const SEVERAL = { needs: ["sessions"], other };

/** In both sessions. */
function both(c) {
  Object.assign(c.of(OTHER), { q: 500, at: 90_000, epoch: 7, lastId: 9, id: 9 });
  return c.begins().does("join", { session: OTHER }).client("join", { session: OTHER }).joined({ slot: 1, team: 1 }, OTHER).snapshot({}, OTHER);
}

export const topic = "Two sessions on one connection, and being sent out of one";
export const cases = [
  write("keeps two sessions apart", "Every message names its session by `s`; sequences, ids and views are each session's own.", SEVERAL, (c) => {
    both(c).right().right({ slot: 1, team: 1 }, OTHER);
    c.acts(10, { kind: "defend" }, OTHER).acts(1, { kind: "defend" });
    c.server("ack", { s, id: 1, q: 11 }).holds({ pending: [] }).holds({ pending: [10] }, OTHER);
    c.delta({ p: [{ i: 1, hp: 5 }] }, { session: OTHER }).delta({ p: [{ i: 0, hp: 8 }] });
    c.server("ack", { s: t, id: 10, q: 501 }).right({}, OTHER).right().holds({ pending: [] }, OTHER);
    c.told([{ t: "ack", d: { id: 1 } }, { t: "delta", d: { q: 11 } }]);
    c.told([{ t: "delta", d: { q: 501 } }, { t: "ack", d: { id: 10 } }], ["drift"], OTHER);
  }),
  write("drifts in one", "The other goes on.", { ...SEVERAL, needs: ["sessions", "digests"] }, (c) => {
    both(c).wait(3_000).delta({}, { session: OTHER, h: 1 });
    c.client("join", { session: OTHER, epoch: 7, rules: RULES_HASH }, { within: [0, 1_500] });
    c.delta({ p: [{ i: 0, hp: 8 }] }).right();
    c.joined({ rules: null, slot: 1, team: 1 }, OTHER).snapshot({}, OTHER).right({}, OTHER).right();
  }),
  write("comes back to both", "After a loss every session is joined again, each with its own sequence.", SEVERAL, (c) => {
    both(c).wait(10_000).closes(1006);
    c.resumes(0, 2_000).client("join", { session: OTHER, seq: 500, epoch: 7, rules: RULES_HASH });
    c.joined({ rules: null, slot: 1, team: 1 }, OTHER).snapshot({}, OTHER).right().right({}, OTHER);
  }),
  write(
    "one has ended while it was away",
    "An `error` does not name its session: it answers the `join` that was sent, so there is one at a time.",
    SEVERAL,
    (c) => {
      both(c).wait(10_000).closes(1006).dials(0, 2_000).client("join", { session: SESSION, seq: 10 }).quiet(0);
      c.server("error", { reason: "session_ended", message: "The session has ended." }).holds({ status: "closed" });
      c.client("join", { session: OTHER, seq: 500, epoch: 7, rules: RULES_HASH });
      c.joined({ rules: null, slot: 1, team: 1 }, OTHER).snapshot({}, OTHER).right({}, OTHER).quiet(20_000);
    },
  ),
  write(
    "is replaced in one",
    "The player has joined this one from elsewhere: the client does not join it again, and the connection goes on.",
    SEVERAL,
    (c) => {
      both(c).server("left", { s: t, why: "replaced" }).holds({ status: "closed", code: 4409 }, OTHER);
      c.told([{ t: "left", d: { why: "replaced" } }, { t: "closed" }], [], OTHER);
      c.delta({}).right().quiet(60_000);
    },
  ),
  write("one has ended", "The connection goes on for the other.", SEVERAL, (c) => {
    both(c).server("left", { s: t, why: "ended" }).holds({ status: "closed", code: 4410 }, OTHER).delta({}).right().quiet(60_000);
  }),
  write("leaves one", "The other goes on.", SEVERAL, (c) => {
    both(c).does("leave", { in: OTHER }).client("leave", { s: t }).server("left", { s: t, why: "asked" });
    c.holds({ status: "closed" }, OTHER).delta({}).right().quiet(60_000);
  }),
  write(
    "a session moves",
    "It is joined again at once, with what one has; an action that was refused as `not_joined` meanwhile is sent again there.",
    {},
    (c) => {
      c.begins().wait(3_000).acts(1, { kind: "defend" }).server("left", { s, why: "moved" });
      c.server("refused", { s, id: 1, reason: "not_joined" });
      c.client("join", { session: SESSION, seq: 10, epoch: 1, rules: RULES_HASH }, { within: [0, 1_500] });
      c.of().epoch = 2;
      c.joined({ rules: null }).snapshot().client("action", { s, id: 1, kind: "defend" }).right({ pending: [1] });
      c.server("ack", { s, id: 1, q: 11 }).holds({ pending: [] }).told([{ t: "ack", d: { id: 1 } }], ["closed"]);
    },
  ),
  write("is not let into the second", "What is refused there is no affair of the first.", SEVERAL, (c) => {
    c.begins().does("join", { session: OTHER }).client("join", { session: OTHER });
    c.server("error", { reason: "not_a_participant", message: "The player has no seat in this session." });
    c.holds({ status: "closed" }, OTHER).delta({}).right().quiet(60_000);
  }),
];
