import { RULES_HASH, SESSION, handle, write } from "../script.mjs";

const s = handle(SESSION);
const attack = { kind: "attack", to: 1 };
const SOON = [0, 2_000];
const SPREAD = [0, 5_000];
/** After which close codes a client comes back, and between which times it first tries. */
const back = [
  [1001, SOON, "the server goes away"],
  [1005, SOON, "no code at all"],
  [1006, SOON, "the connection is lost"],
  [1011, SPREAD, "the server failed"],
  [1012, SPREAD, "the server restarts"],
  [1013, SPREAD, "the server takes no connection at the moment"],
  [4408, SOON, "nothing was heard of the client"],
  [4413, SPREAD, "the client read too slowly"],
  [4419, SOON, "the token has expired"],
  [4429, [5_000, 60_000], "too many messages: the server takes no connection of the player for 5 s"],
];
const gone = [
  [1000, "the server says goodbye"],
  [1002, "it was not WebSocket"],
  [1003, "the frame type was wrong"],
  [1007, "it was not UTF-8"],
  [1009, "a message was too big"],
  [4400, "too many bad messages"],
  [4401, "the credentials are not valid any more"],
  [4404, "in no session"],
  [4409, "the player joined from a newer connection: coming back would send that one away"],
  [4410, "the session has ended"],
  [4999, "a code that nobody knows"],
];

export const topic = "Coming back, and what is resumed";
export const cases = [
  ...back.map(([code, [least, most], why]) =>
    write(`comes back after ${code}`, `${why}. Every connection has a ticket of its own.`, {}, (c) => {
      c.begins().wait(10_000).closes(code).holds({ status: ["waiting", "connecting"] });
      c.resumes(least, most).right();
    }),
  ),
  ...gone.map(([code, why]) =>
    write(`stays away after ${code}`, why, {}, (c) => {
      c.begins().wait(10_000).closes(code).holds({ status: "closed", code }).told([{ t: "closed", d: { code } }]);
      c.quiet(120_000);
    }),
  ),
  write(
    "resumes where it was",
    "The join names the last sequence applied, its epoch and the rules one has; `joined` then leaves the rules out.",
    {},
    (c) => {
      c.begins().delta({ p: [{ i: 1, hp: 91 }] }).delta({ p: [{ i: 1, hp: 82 }] }).wait(10_000).closes(1006);
      c.resumes(...SOON, {
        then: (server) => {
          server.q = 40;
          server.at = 9_000;
          server.epoch = 2;
          server.view.participants[1].hp = 12;
        },
      });
      c.right({ rules: RULES_HASH });
      c.delta({ p: [{ i: 1, hp: 1 }] }).right().told([{ t: "snapshot" }, { t: "delta" }], ["drift", "rolled_back"]);
    },
  ),
  write(
    "is told delta by delta what it missed",
    "`joined` with `resume` `deltas`: no snapshot comes, and the deltas behind the sequence that the join named go on from the view one has.",
    {},
    (c) => {
      c.begins().told([{ t: "snapshot" }]).delta({ p: [{ i: 1, hp: 91 }] }).wait(10_000).closes(1006);
      c.dials(...SOON).client("join", { session: SESSION, seq: c.of().q, epoch: 1, rules: RULES_HASH });
      c.joined({ rules: null, resume: "deltas" });
      c.delta({ ev: [{ k: "hit", by: 1, to: 0, n: 5 }], p: [{ i: 0, hp: 95 }] }, { h: null }).delta({ p: [{ i: 1, hp: 82 }] }, { h: null });
      c.delta({ p: [{ i: 1, hp: 73 }] }).right({ rules: RULES_HASH });
      c.told([{ t: "joined" }, { t: "event", d: { k: "hit", n: 5 } }, { t: "delta" }, { t: "delta" }], ["snapshot", "drift", "rolled_back"]);
    },
  ),
  write("missed nothing while it was away", "`resume` is `deltas` all the same, and the view one has is the server's.", {}, (c) => {
    c.begins().told([{ t: "snapshot" }]).delta({ p: [{ i: 1, hp: 91 }] }).wait(10_000).closes(1006);
    c.dials(...SOON).client("join", { session: SESSION, seq: c.of().q, epoch: 1 }).joined({ rules: null, resume: "deltas" });
    c.right().quiet(5_000).acts(1, attack).server("ack", { s, id: 1, q: 12 });
    c.delta({ p: [{ i: 1, hp: 82 }] }).right().told([{ t: "ack" }, { t: "delta" }], ["snapshot", "drift"]);
  }),
  write("is lost again amid what it missed", "The next join names what has been applied of it.", {}, (c) => {
    c.begins().told([{ t: "snapshot" }]).wait(10_000).closes(1006);
    c.dials(...SOON).client("join", { session: SESSION, seq: 10, epoch: 1 }).joined({ rules: null, resume: "deltas" });
    c.delta({ p: [{ i: 1, hp: 91 }] }).delta({ p: [{ i: 1, hp: 82 }] }).closes(1006);
    c.dials(0, 4_000).client("join", { session: SESSION, seq: 12, epoch: 1 }).joined({ rules: null, resume: "deltas" });
    c.delta({ p: [{ i: 1, hp: 73 }] }).right().told([{ t: "delta" }, { t: "delta" }, { t: "delta" }], ["snapshot", "drift"]);
  }),
  ...[
    ["too_old", "the deltas are not kept any more, or are more than a snapshot is worth"],
    ["changed_hands", "there was a restart, or another part of the server goes on with the session"],
    ["other_encoding", "the deltas were kept in the other encoding"],
  ].map(([why, because]) =>
    write(`is sent a snapshot: ${why}`, `${because}. How many events it stands for may not be known.`, {}, (c) => {
      c.begins().delta({ p: [{ i: 1, hp: 91 }] }).wait(10_000).closes(1006);
      const { q } = c.of();
      const epoch = why === "changed_hands" ? 2 : 1;
      c.dials(...SOON).client("join", { session: SESSION, seq: q, epoch: 1 });
      Object.assign(c.of(), { q: q + 30, at: 9_000, epoch });
      c.of().view.participants[1].hp = 12;
      c.joined({ rules: null, why }).snapshot({ missed: { from: q + 1, to: q + 30 } }).right();
      c.delta({ p: [{ i: 1, hp: 11 }] }).right().told([{ t: "snapshot" }, { t: "delta" }], ["drift"]);
    }),
  ),
  write(
    "what has no answer is sent again",
    "With the same ids, in their order, before anything new; the answer is the first one's, so nothing happens twice.",
    {},
    (c) => {
      c.begins().acts(1, attack).acts(2, { kind: "defend" }).acts(3, { kind: "move", x: 1_510, y: 2_500 });
      c.server("ack", { s, id: 1, q: 11 }).wait(10_000).closes(1006).holds({ pending: [2, 3] });
      c.of().lastId = 2;
      c.of().id = 2;
      c.resumes(...SOON);
      c.client("action", { s, id: 2, kind: "defend" }).client("action", { s, id: 3, kind: "move", x: 1_510, y: 2_500 });
      c.acts(4, attack).holds({ pending: [2, 3, 4] });
      c.server("ack", { s, id: 2, q: 12 }).server("refused", { s, id: 3, reason: "too_fast", x: 1_500, y: 2_500, allowed_cm: 0 });
      c.server("ack", { s, id: 4, q: 14 }).holds({ pending: [] });
      c.told([{ t: "ack", d: { id: 1 } }, { t: "ack", d: { id: 2 } }, { t: "refused", d: { id: 3 } }, { t: "ack", d: { id: 4 } }]);
    },
  ),
  write("is lost again before there was an answer", "What has no answer is sent on every connection until it has one.", {}, (c) => {
    c.begins().acts(1, attack).wait(10_000).closes(1006);
    c.resumes(...SOON).client("action", { s, id: 1, ...attack }).closes(1006);
    c.resumes(0, 4_000).client("action", { s, id: 1, ...attack }).server("ack", { s, id: 1, q: 11 });
    c.holds({ pending: [] }).told([{ t: "ack", d: { id: 1 } }]);
  }),
  write("cannot come back at once", "The times between tries grow, and never above half a minute.", {}, (c) => {
    c.begins().wait(10_000).closes(1006);
    for (let turn = 0; turn < 8; turn += 1) c.dials(turn < 5 ? 0 : 1_000, 30_000, { refused: 1006 });
    c.resumes(1_000, 30_000).right();
  }),
  write("the handshake fails at first", "A first connection that fails is tried again as a lost one is.", {}, (c) => {
    c.does("connect", { session: SESSION }).dials(0, 0, { refused: 1006 });
    c.dials(...SOON).client("join", { session: SESSION }, { lacks: ["seq"] }).joined().snapshot().right();
  }),
  write("is set back", "The server's log was set back: that is told, and what was shown after the snapshot's sequence has not happened.", {}, (c) => {
    c.begins().delta({ p: [{ i: 1, hp: 50 }] }).delta({ p: [{ i: 1, hp: 20 }] }).delta({}).wait(10_000).closes(1012);
    const { q } = c.of();
    c.dials(...SPREAD).client("join", { session: SESSION, seq: q, epoch: 1 });
    Object.assign(c.of(), { q: q - 2, at: 5_100, epoch: 2 });
    c.of().view.participants[1].hp = 50;
    c.server("error", { re: "join", session: SESSION, reason: "rolled_back", message: "The session is at 11, the client at 13.", rolled_back: { from: q, from_epoch: 1, to: q - 2, to_epoch: 2 } })
      .told([{ t: "rolled_back", d: { rolled_back: { from: q, from_epoch: 1, to: q - 2, to_epoch: 2 } } }], ["closed"]);
    c.joined({ rules: null, why: "rolled_back" }).snapshot().right();
    c.delta({ p: [{ i: 1, hp: 45 }] }).right().told([{ t: "snapshot" }, { t: "delta" }], ["drift"]);
  }),
  write("other rules come", "Rules that `joined` has are the session's, whatever the client had.", {}, (c) => {
    c.begins().wait(10_000).closes(1006);
    c.dials(...SOON).client("join", { session: SESSION, rules: RULES_HASH }).joined().snapshot().right({ rules: RULES_HASH });
  }),
  write(
    "nothing is heard any more",
    "A connection may be dead without anybody closing it: a client that has heard nothing for a while opens another one.",
    {},
    (c) => {
      c.begins().step({ silence: true }).dials(3_000, 90_000);
      c.client("join", { session: SESSION, seq: 10, epoch: 1 }).joined({ rules: null }).snapshot().right();
    },
  ),
  write(
    "a ticket is to be had later",
    "Where getting a ticket is answered by `429` with `Retry-After`, the client waits at least that long.",
    { needs: ["tickets"], tickets: ["ok", { status: 429, retry_ms: 7_000 }] },
    (c) => {
      c.begins().wait(10_000).closes(1006).resumes(7_000, 20_000).right();
    },
  ),
  write(
    "there is no ticket any more",
    "Where getting a ticket is answered by `404`, there is no session to come back to.",
    { needs: ["tickets"], tickets: ["ok", { status: 404 }] },
    (c) => {
      c.begins().wait(10_000).closes(1006).quiet(120_000).givesUp().holds({ status: "closed" });
    },
  ),
];
