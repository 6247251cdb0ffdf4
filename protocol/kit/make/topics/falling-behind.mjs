import { SESSION, handle, write } from "../script.mjs";

const s = handle(SESSION);

/** The session goes on by `steps` without the client. */
function passes(c, steps) {
  const server = c.of();
  server.q += steps;
  server.at += steps * 100;
  server.view.participants[1].hp -= steps;
}

export const topic = "Falling behind: one snapshot in place of many deltas";
export const cases = [
  write(
    "is brought up to date",
    "A snapshot that nobody asked for replaces the view; deltas go on from its sequence, and what was missed is told.",
    {},
    (c) => {
      c.begins().delta({ p: [{ i: 0, hp: 90 }] });
      passes(c, 30);
      c.snapshot({ missed: { events: 17, from: 12, to: 41 } }).right();
      c.told([{ t: "delta" }, { t: "missed", d: { events: 17, from: 12, to: 41 } }], ["drift", "rolled_back"]);
      c.delta({ p: [{ i: 1, hp: 50 }] }).right().quiet(3_000);
    },
  ),
  write("has missed nothing", "Without `missed` nothing is said to be missed.", {}, (c) => {
    c.begins();
    passes(c, 3);
    c.snapshot().right().told([{ t: "snapshot" }], ["missed", "drift"]).delta({}).right();
  }),
  write("has its answers all the same", "Answers are never left out; a snapshot says what is applied.", {}, (c) => {
    c.begins().acts(1, { kind: "defend" }).acts(2, { kind: "attack", to: 1 });
    c.server("ack", { s, id: 1, q: 12 }).server("ack", { s, id: 2, q: 20 });
    passes(c, 12);
    c.of().id = 2;
    c.snapshot({ missed: { events: 4, from: 11, to: 22 } }).right({ applied: 2, pending: [] });
    c.told([{ t: "ack", d: { id: 1 } }, { t: "ack", d: { id: 2 } }, { t: "missed" }], ["refused"]);
  }),
  write("goes on under another epoch", "A snapshot may say that the session has changed hands; the next join has its epoch.", {}, (c) => {
    c.begins().wait(10_000);
    passes(c, 5);
    c.of().epoch = 4;
    c.snapshot().right().closes(1006).resumes(0, 2_000).right();
  }),
];
