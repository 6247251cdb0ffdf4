import { BOB, OTHER, RULES_HASH, SESSION, handle, write } from "../script.mjs";

const s = handle(SESSION);
const SOON = [0, 2_000];
const attack = { kind: "attack", to: 1 };
const deltas = { resume: "deltas", rules: null };

/** The connection is lost, and the client asks on the next one to go on from where it is. */
function comesBack(c) {
  const { q, epoch } = c.of();
  return c.wait(10_000).closes(1006).dials(...SOON).client("join", { session: SESSION, seq: q, epoch, rules: RULES_HASH });
}

export const topic = "Going on by deltas: what is sent again, what they cannot mend, and which join an error answers";
export const cases = [
  write("sends again what has no answer", "The deltas say what of it is applied; an answer says it of each.", {}, (c) => {
    c.begins().acts(1, attack).acts(2, { kind: "defend" });
    c.of().lastId = 1;
    comesBack(c).joined(deltas);
    c.client("action", { s, id: 1, ...attack }).client("action", { s, id: 2, kind: "defend" });
    c.of().id = 1;
    c.delta({ p: [{ i: 1, hp: 70 }] }).holds({ applied: 1, pending: [1, 2] });
    c.server("ack", { s, id: 1, q: 11 }).server("ack", { s, id: 2, q: 12 });
    c.of().id = 2;
    c.delta({ p: [{ i: 0, guard_until: 7_000 }] }).right({ applied: 2, pending: [] });
  }),
  write("deltas do not begin where they must", "It is a gap like any other: what the view has is right, and is gone on from.", {}, (c) => {
    c.begins();
    const { q, epoch } = c.of();
    comesBack(c).joined(deltas);
    c.of().q += 3;
    c.delta({ p: [{ i: 1, hp: 60 }] }).told([{ t: "drift" }], ["delta"]);
    c.client("join", { session: SESSION, seq: q, epoch }, { within: [900, 3_000] }).joined({ rules: null }).snapshot().right();
  }),
  write("has a view that is wrong", "Deltas would not mend it: a client that has drifted names no sequence until it has had a snapshot.", { needs: ["digests"] }, (c) => {
    c.begins().wait(3_000).delta({}, { h: 12_345 }).client("join", { session: SESSION }, { within: [0, 1_500] }).closes(1006);
    c.dials(...SOON).client("join", { session: SESSION }, { lacks: ["seq"] }).joined({ rules: null }).snapshot().right();
    comesBack(c).joined(deltas).delta({ p: [{ i: 1, hp: 3 }] }).right();
  }),
  write(
    "is told which join is refused",
    "An `error` says what it answers: `re` the message's type, and the session of a `join`. Others go on.",
    { needs: ["sessions"] },
    (c) => {
      c.begins().does("join", { session: OTHER }).client("join", { session: OTHER });
      c.server("error", { re: "ready", s, reason: "bad_fields", message: "What is this?" });
      c.server("error", { re: "join", session: OTHER, reason: "no_session", message: "There is no such session." });
      c.told([{ t: "error", d: { reason: "no_session" } }, { t: "closed" }], [], OTHER);
      c.right().told([{ t: "error", d: { reason: "bad_fields" } }], ["closed"]);
      c.delta({ p: [{ i: 1, player: BOB, team: 1, status: "active", ready: true, score: 0, hp: 9, x: 1, y: 2 }] }).right();
    },
  ),
];
