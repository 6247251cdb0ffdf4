import { BOB, RULES_HASH, SESSION, duel, fighter, write } from "../script.mjs";

/** The client asks for its view again, with what it has. */
const again = (c, within, more = {}) => c.client("join", { session: SESSION, epoch: c.of().epoch, rules: RULES_HASH, ...more }, { within });
const WRONG = 12_345;
const DIGESTS = { needs: ["digests"] };

export const topic = "Drift: the view is not the server's";
export const cases = [
  write(
    "a delta has another digest",
    "The client joins again over the same connection, with what it has; what comes before the snapshot is not shown.",
    DIGESTS,
    (c) => {
      c.begins().delta({ p: [{ i: 1, hp: 91 }] }).wait(3_000);
      c.delta({ p: [{ i: 1, hp: 82 }] }, { h: WRONG }).told([{ t: "drift" }]);
      c.client("join", { session: SESSION, epoch: 1, rules: RULES_HASH }, { within: [0, 1_500] });
      c.holds({ status: "joining" });
      c.delta({ p: [{ i: 1, hp: 70 }] }).told([], ["delta", "drift"]);
      c.joined({ rules: null }).snapshot().right();
      c.delta({ p: [{ i: 1, hp: 60 }] }).right().told([{ t: "snapshot" }, { t: "delta" }], ["drift"]);
    },
  ),
  write("a client that drifts again and again", "It asks once a second at most: more would only load the server.", DIGESTS, (c) => {
    c.begins().wait(3_000);
    for (let turn = 0; turn < 4; turn += 1) {
      c.delta({}, { h: WRONG });
      again(c, turn === 0 ? [0, 1_500] : [900, 3_000]);
      c.joined({ rules: null }).snapshot();
    }
    c.right();
  }),
  write("a delta is missing", "A delta whose sequence is not the next one cannot be applied.", {}, (c) => {
    c.begins().wait(3_000);
    const { q } = c.of();
    c.of().q += 1;
    c.delta({ p: [{ i: 0, hp: 50 }] }).told([{ t: "drift" }], ["delta"]);
    again(c, [0, 1_500], { seq: q });
    c.joined({ rules: null }).snapshot().right();
  }),
  write("a delta names a slot that is not there", "Without `player` a patch needs somebody to patch.", {}, (c) => {
    c.begins().wait(3_000);
    const { q, at } = c.of();
    c.timed("delta", { s: c.of().s, q: q + 1, id: 0, p: [{ i: 2, hp: 5 }] }).told([{ t: "drift" }], ["delta"]);
    again(c, [0, 1_500]);
    c.of().q += 1;
    c.of().at = at + 50;
    c.of().view.participants.push(fighter(BOB, 1, { hp: 5 }));
    c.joined({ rules: null }).snapshot().right();
  }),
  write("a snapshot has another digest", "It is as little to be trusted as a delta.", DIGESTS, (c) => {
    c.does("connect", { session: SESSION }).dials(0, 0).client("join", { session: SESSION });
    c.joined().snapshot({ h: WRONG }).told([{ t: "drift" }]).holds({ status: "joining" });
    c.client("join", { session: SESSION, rules: RULES_HASH }, { within: [900, 3_000] });
    c.joined({ rules: null }).snapshot().right();
  }),
  write("asks too soon for the server", "`already_joined` is no reason to give up: a second later the snapshot is to be had.", DIGESTS, (c) => {
    c.begins().wait(3_000).delta({}, { h: WRONG }).client("join", { session: SESSION }, { within: [0, 1_500] });
    c.server("error", { reason: "already_joined", message: "Ask again in a second." });
    c.client("join", { session: SESSION }, { within: [900, 3_000] });
    c.joined({ rules: null }).snapshot().right();
  }),
  write("a digest that is right says nothing", "A client that is right is not to join again.", { view: duel({ modifiers: [0] }) }, (c) => {
    c.begins();
    for (let turn = 0; turn < 5; turn += 1) c.delta({ p: [{ i: 1, hp: 90 - turn }] });
    c.right().quiet(5_000).told([], ["drift"]);
  }),
];
