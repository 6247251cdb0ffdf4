import { ANN, BOB, CAT, OTHER, SESSION, handle, write } from "../script.mjs";

const s = handle(SESSION);
const t = handle(OTHER);
const CUSTOM = { needs: ["custom"] };
const PLAYER = { needs: ["player"] };
const SOON = [0, 2_000];

/** The session has another version. */
const changes = (c, version, more) => c.server("state", { s, version, ...more, time: "$time" });

export const topic = "Sessions that are no fights: their state, their talk, and who is there";
export const cases = [
  write("joins a custom session", "It is named as a fight is, and nothing else; `joined` has all there is.", CUSTOM, (c) => {
    c.enters({ map: "yard", votes: { ann: 1 }, log: [null, 1.5] }, { version: 4 }).told([{ t: "joined", d: { type: "custom" } }], ["error", "closed"]);
    c.holds({ status: "live", version: 4, state: { map: "yard", votes: { ann: 1 }, log: [null, 1.5] }, members: [ANN, BOB], here: [ANN] });
    c.quiet(20_000);
  }),
  write("others change the state", "`merge` is merged as RFC 7396 says: what is `null` goes, lists are replaced, all else stays.", CUSTOM, (c) => {
    c.enters({ map: "yard", votes: { ann: 1, cat: 2 }, list: [1, 2] });
    changes(c, 2, { merge: { votes: { bob: 2, cat: null }, list: [{ a: null }] }, by: BOB });
    c.holds({ version: 2, state: { map: "yard", votes: { ann: 1, bob: 2 }, list: [{ a: null }] } });
    changes(c, 3, { merge: { map: { name: "keep", gone: null }, votes: null } });
    c.holds({ version: 3, state: { map: { name: "keep" }, list: [{ a: null }] }, status: "live" });
    c.told([{ t: "state", d: { version: 2, by: BOB } }, { t: "state", d: { version: 3 } }]).quiet(3_000);
  }),
  write("changes the state", "What one asks for is shown when the server shows it, and not before.", CUSTOM, (c) => {
    c.enters({ n: 1 }).does("patch", { merge: { n: 2, who: null } });
    c.client("patch", { s, merge: { n: 2, who: null } }, { lacks: ["if"] }).holds({ version: 1, state: { n: 1 } });
    changes(c, 2, { merge: { n: 2, who: null }, by: ANN }).server("ack", { s, id: 1, version: 2 });
    c.holds({ version: 2, state: { n: 2 } }).told([{ t: "state", d: { version: 2 } }, { t: "ack", d: { version: 2 } }], ["refused", "unanswered"]);
  }),
  write("says which version it changes", "Where the state has another one by then, nothing is changed; the refusal says which.", CUSTOM, (c) => {
    c.enters({ n: 1 }).does("patch", { merge: { n: 2 }, if: 1 }).client("patch", { s, id: 1, merge: { n: 2 }, if: 1 });
    c.server("refused", { s, id: 1, reason: "version_conflict", version: 2 });
    c.told([{ t: "refused", d: { reason: "version_conflict", version: 2 } }], ["ack", "state"]).holds({ version: 1, state: { n: 1 } });
    changes(c, 2, { merge: { n: 7 }, by: BOB }).does("patch", { merge: { n: 8 }, if: 2 }).client("patch", { s, id: 2, merge: { n: 8 }, if: 2 });
    c.holds({ version: 2, state: { n: 7 } });
  }),
  write("is told the whole in place of what was left out", "With `state` it stands for all before it; what is older says nothing new.", CUSTOM, (c) => {
    c.enters({ n: 1, old: true });
    changes(c, 9, { state: { n: 9 }, members: [ANN, BOB, CAT], here: [BOB, CAT] });
    c.holds({ status: "live", version: 9, state: { n: 9 }, members: [ANN, BOB, CAT], here: [BOB, CAT] });
    changes(c, 8, { merge: { n: 8 } }).holds({ version: 9, state: { n: 9 } });
    changes(c, 10, { merge: { n: 10 } }).holds({ version: 10, state: { n: 10 } });
    c.told([{ t: "state", d: { version: 9 } }, { t: "state", d: { version: 10 } }]).quiet(3_000);
  }),
  write("a version is missing", "The next one is one higher. A client that lacks one joins again, and takes nothing until it has the whole.", CUSTOM, (c) => {
    c.enters({ n: 1 }).wait(3_000);
    changes(c, 3, { merge: { n: 3 } }).client("join", { session: SESSION }, { within: [0, 1_500] });
    c.holds({ status: "joining", version: 1, state: { n: 1 } });
    changes(c, 4, { merge: { n: 4 } }).holds({ version: 1, state: { n: 1 } }).told([{ t: "joined" }], ["state"]);
    c.custom({ n: 4, more: true }, { version: 4 }).holds({ status: "live", version: 4, state: { n: 4, more: true } });
    changes(c, 5, { merge: { n: 5 } }).holds({ version: 5, state: { n: 5, more: true } }).quiet(3_000);
  }),
  write("something else of it has changed", "Its version rises with it, and the state stays; `members` are there where they have changed.", CUSTOM, (c) => {
    c.enters({ n: 1 });
    changes(c, 2, { members: [ANN, BOB, CAT] }).holds({ version: 2, state: { n: 1 }, members: [ANN, BOB, CAT], here: [ANN] });
    changes(c, 3, {}).holds({ version: 3, state: { n: 1 }, members: [ANN, BOB, CAT], status: "live" }).quiet(3_000);
  }),
  write("hears what others say", "`data` is told as it came. A gap in `n` is none: it was for another; what was left out is told as `missed`.", CUSTOM, (c) => {
    c.enters({});
    c.server("relayed", { s, n: 1, from: BOB, data: { wave: [1, null, "ü"] }, time: "$time" });
    c.server("relayed", { s, n: 4, from: BOB, data: null, time: "$time" }).server("missed", { s, from: 5, to: 7 });
    c.server("relayed", { s, n: 8, from: CAT, data: "back", time: "$time" });
    c.told([
      { t: "relayed", d: { n: 1, from: BOB, data: { wave: [1, null, "ü"] } } },
      { t: "relayed", d: { n: 4, data: null } },
      { t: "missed", d: { from: 5, to: 7 } },
      { t: "relayed", d: { n: 8, from: CAT, data: "back" } },
    ]);
    c.holds({ status: "live", version: 1 }).quiet(3_000);
  }),
  write("says something to all, or to one", "`ack` says how many it was handed to. Ids rise, whatever the request is.", CUSTOM, (c) => {
    c.enters({}).does("relay", { data: { go: [true, null] } }).client("relay", { s, id: 1, data: { go: [true, null] } }, { lacks: ["to"] });
    c.does("relay", { data: null, to: BOB }).client("relay", { s, id: 2, data: null, to: BOB });
    c.does("patch", { merge: { n: 1 } }).client("patch", { s, id: 3, merge: { n: 1 } });
    c.server("ack", { s, id: 1, to: 3 }).server("refused", { s, id: 2, reason: "not_here" }).server("refused", { s, id: 3, reason: "rate_limited", retry_ms: 50 });
    c.told([{ t: "ack", d: { to: 3 } }, { t: "refused", d: { reason: "not_here" } }, { t: "refused", d: { reason: "rate_limited", retry_ms: 50 } }]);
    c.server("ack", { s, id: 1, to: 3 }).server("ack", { s, id: 77, to: 3 }).told([], ["ack"]).quiet(3_000);
  }),
  write("others come and go", "`here` is who is connected. A newer connection changes nothing of it.", CUSTOM, (c) => {
    const presence = (player, why, members_here) => c.server("presence", { s, player, why, members_here });
    c.enters({});
    presence(BOB, "joined", 2).holds({ here: [ANN, BOB] });
    presence(BOB, "replaced", 2).holds({ here: [ANN, BOB] });
    presence(BOB, "lost", 1).holds({ here: [ANN] });
    presence(BOB, "returned", 2).holds({ here: [ANN, BOB] });
    presence(BOB, "left", 1).holds({ here: [ANN], members: [ANN, BOB] });
    const whys = ["joined", "replaced", "lost", "returned", "left"];
    c.told(whys.map((why) => ({ t: "presence", d: { player: BOB, why } })));
  }),
  write("is no member any more", "Who is removed stays away.", CUSTOM, (c) => {
    c.enters({}).server("left", { s, why: "removed" }).holds({ status: "closed", code: 4403 });
    c.told([{ t: "left", d: { why: "removed" } }, { t: "closed", d: { code: 4403 } }]).quiet(120_000);
  }),
  write("leaves a custom session", "Who leaves is out, and stays so.", CUSTOM, (c) => {
    c.enters({}).does("leave").client("leave", { s }).server("left", { s, why: "asked" }).holds({ status: "closed" }).quiet(120_000);
  }),
  write("the custom session ends", "The connection is closed with 4410 where it is in no other session.", CUSTOM, (c) => {
    c.enters({}).closes(4410).holds({ status: "closed", code: 4410 }).quiet(120_000);
  }),
  write(
    "comes back to a custom session",
    "It has the newest state. What had no answer may have been done or not: that is told, and it is not sent again by itself.",
    CUSTOM,
    (c) => {
      c.enters({ n: 1 }).does("patch", { merge: { n: 2 } }).client("patch", { s, merge: { n: 2 } }).wait(10_000).closes(1006);
      c.holds({ status: ["waiting", "connecting"] }).dials(...SOON).client("join", { session: SESSION }, { lacks: ["seq", "epoch", "rules"] });
      c.custom({ n: 2 }, { version: 2, here: [ANN, BOB] }).holds({ status: "live", version: 2, state: { n: 2 }, here: [ANN, BOB] });
      c.told([{ t: "joined" }, { t: "unanswered" }, { t: "joined" }], ["ack", "refused", "closed"]).quiet(5_000);
      c.does("relay", { data: 1 }).client("relay", { s, data: 1 });
    },
  ),
  write("leaves with something that has no answer", "That there will be none is told before it is told that the session was left.", CUSTOM, (c) => {
    c.enters({ n: 1 }).does("patch", { merge: { n: 2 } }).client("patch", { s, id: 1, merge: { n: 2 } }).does("relay", { data: 1 }).client("relay", { s, id: 2, data: 1 });
    c.server("left", { s, why: "removed" }).told([{ t: "joined" }, { t: "unanswered" }, { t: "unanswered" }, { t: "left" }, { t: "closed", d: { code: 4403 } }]).quiet(120_000);
  }),
  write("is answered after it has left", "An answer that comes when it was told that none would is none.", { needs: ["custom", "sessions"] }, (c) => {
    c.begins().does("join", { session: OTHER, as: "custom" }).client("join", { session: OTHER }).custom({ n: 1 }, {}, OTHER);
    c.does("relay", { in: OTHER, data: 1 }).client("relay", { s: t, id: 1, data: 1 }).does("patch", { in: OTHER, merge: { n: 2 } }).client("patch", { s: t, id: 2, merge: { n: 2 } });
    c.server("left", { s: t, why: "removed" });
    c.told([{ t: "joined" }, { t: "unanswered" }, { t: "unanswered" }, { t: "left" }, { t: "closed", d: { code: 4403 } }], [], OTHER);
    c.server("ack", { s: t, id: 1, to: 1 }).server("refused", { s: t, id: 2, reason: "not_joined" }).told([], [], OTHER).delta({}).right();
  }),
  write("is closed with something that has no answer", "That there will be none is told before it is told that the session is closed: after that, nothing is.", CUSTOM, (c) => {
    c.enters({ n: 1 }).does("relay", { data: 1 }).client("relay", { s, id: 1, data: 1 }).closes(4410);
    c.told([{ t: "joined" }, { t: "unanswered" }, { t: "closed", d: { code: 4410 } }]).quiet(120_000);
  }),
  write("closes with something that has no answer", "The program that closes a session is told so, too.", CUSTOM, (c) => {
    c.enters({ n: 1 }).does("relay", { data: 1 }).client("relay", { s, id: 1, data: 1 }).does("close").step({ client_closes: [0, 0] });
    c.told([{ t: "joined" }, { t: "unanswered" }, { t: "closed", d: { code: 1000 } }]).quiet(120_000);
  }),
  write("does not know all of a custom session", "Unknown fields are ignored there, too, and so are messages of unknown types; a word that is not known does no harm.", CUSTOM, (c) => {
    c.enters({ n: 1 }, { mood: "calm" });
    changes(c, 2, { merge: { n: 2 }, mood: [1] }).server("chorus", { s, voices: 4 }).server("relayed", { s, n: 1, from: BOB, data: 1, tone: "low", time: "$time" });
    c.server("presence", { s, player: BOB, why: "teleported", members_here: 2 });
    c.holds({ status: "live", version: 2, state: { n: 2 } });
    c.told([{ t: "state" }, { t: "relayed", d: { data: 1 } }, { t: "presence", d: { player: BOB } }], ["error"]).quiet(1_000);
  }),
  write("is in a fight and in a custom session", "Each message is of the session that it names by `s`; ids are each session's own.", { needs: ["custom", "sessions"] }, (c) => {
    c.begins().does("join", { session: OTHER, as: "custom" }).client("join", { session: OTHER }, { lacks: ["seq", "epoch", "rules"] });
    c.custom({ n: 1 }, {}, OTHER).holds({ status: "live", state: { n: 1 } }, OTHER).right();
    c.does("relay", { in: OTHER, data: "hi" }).client("relay", { s: t, id: 1, data: "hi" }).acts(1, { kind: "defend" });
    c.server("ack", { s, id: 1, q: 11 }).holds({ pending: [] }).told([{ t: "ack", d: { id: 1, q: 11 } }]);
    c.told([{ t: "joined" }], ["ack"], OTHER).server("ack", { s: t, id: 1, to: 1 }).told([{ t: "ack", d: { to: 1 } }], [], OTHER);
    c.delta({ p: [{ i: 1, hp: 9 }] }).right();
    c.server("state", { s: t, version: 2, merge: { n: 2 }, time: "$time" }).holds({ version: 2, state: { n: 2 } }, OTHER);
    c.server("left", { s: t, why: "removed" }).holds({ status: "closed", code: 4403 }, OTHER).delta({}).right().quiet(20_000);
  }),
  write("a fight turns out to be none", "The client says so, and is out of it.", CUSTOM, (c) => {
    c.does("connect", { session: SESSION }).dials(0, 0).client("join", { session: SESSION }).custom({});
    c.told([{ t: "error", d: { reason: "wrong_type" } }, { t: "closed" }], ["joined"]).holds({ status: "closed" });
  }),
  write("keeps a presence alive", "It says so before the presence ends, and again before it ends after that; not all the time.", PLAYER, (c) => {
    c.does("connect", { session: SESSION, as: "player" }).dials(0, 0).client("join", { session: SESSION }, { lacks: ["seq", "epoch", "rules"] });
    c.player(3_000).holds({ status: "live" }).quiet(300).client("beat", { s, id: 1 }, { within: [0, 2_500] });
    c.server("ack", { s, id: 1, expires_at: "$time+30000" }).quiet(3_000).client("beat", { s, id: 2 }, { within: [0, 26_000] });
    c.server("ack", { s, id: 2, expires_at: "$time+30000" }).does("beat").client("beat", { s, id: 3 });
    c.told([{ t: "joined", d: { type: "player" } }, { t: "beat" }, { t: "beat" }, { t: "beat" }], ["error", "closed"]);
  }),
  write("says that it is there when it is asked to", "The answer is told first, and then what comes of it: until when the presence lasts.", PLAYER, (c) => {
    c.does("connect", { session: SESSION, as: "player" }).dials(0, 0).client("join", { session: SESSION }).player(60_000).does("beat");
    c.client("beat", { s, id: 1 }).server("ack", { s, id: 1, expires_at: "$time+60000" });
    c.told([{ t: "joined" }, { t: "beat" }, { t: "ack" }, { t: "beat" }], ["unanswered"]).does("beat").client("beat", { s, id: 2 });
    c.server("refused", { s, id: 2, reason: "rate_limited", retry_ms: 15_000 }).told([{ t: "refused" }], ["beat"]).quiet(1_000);
    c.does("beat").client("beat", { s, id: 3 }).server("left", { s, why: "ended" });
    c.told([{ t: "unanswered" }, { t: "left" }, { t: "closed", d: { code: 4410 } }]).quiet(60_000);
  }),
  write("a beat comes too soon", "It is said again when the server says.", PLAYER, (c) => {
    c.does("connect", { session: SESSION, as: "player" }).dials(0, 0).client("join", { session: SESSION }).player(6_000);
    c.client("beat", { s }, { within: [300, 5_500] }).server("refused", { s, id: 1, reason: "rate_limited", retry_ms: 1_500 });
    c.client("beat", { s }, { within: [1_500, 3_500] });
  }),
  write("comes back to its presence", "After a loss it is joined again, and beats go on.", PLAYER, (c) => {
    c.does("connect", { session: SESSION, as: "player" }).dials(0, 0).client("join", { session: SESSION }).player(60_000).wait(10_000).closes(1006);
    c.dials(...SOON).client("join", { session: SESSION }).player(3_000).client("beat", { s }, { within: [300, 2_800] });
  }),
  write("the presence ends", "Then nothing more is said of it.", PLAYER, (c) => {
    c.does("connect", { session: SESSION, as: "player" }).dials(0, 0).client("join", { session: SESSION }).player(3_000);
    c.server("left", { s, why: "ended" }).holds({ status: "closed", code: 4410 }).told([{ t: "left" }, { t: "closed" }]).quiet(60_000);
  }),
];
