import { BIRTH, write } from "../script.mjs";

const time = (ahead_ms) => ({ needs: ["time"], pings: "script", ahead_ms });
/** The client's next ping is `there` ms on the way, its pong `back` ms. */
const trip = (c, there, back) => c.step({ pong: { there_ms: there, back_ms: back } });
const near = (value, by) => [value - by, value + by];

export const topic = "Time: the server's clock, and the session's";
export const cases = [
  write("learns what time it is", "The server read its clock about the middle of the way there and back.", time(1_000_000), (c) => {
    c.begins();
    for (let turn = 0; turn < 5; turn += 1) trip(c, 20, 20);
    c.holds({ latency_ms: near(20, 2), offset_ms: near(1_000_000, 2) });
  }),
  write(
    "does not believe one slow pong",
    "One way that was held up is no reason to think the clock wrong: the median of several counts.",
    time(-5_000),
    (c) => {
      c.begins();
      for (const back of [25, 25, 25, 900, 25, 25, 25]) trip(c, 25, back);
      c.holds({ latency_ms: near(25, 3), offset_ms: near(-5_000, 3) });
    },
  ),
  write("does not believe uneven ways", "Several slow answers among quick ones move the clock little.", time(77_000), (c) => {
    c.begins();
    for (const back of [10, 12, 300, 11, 10, 250, 12, 10, 10]) trip(c, 10, back);
    c.holds({ latency_ms: near(11, 4), offset_ms: near(77_000, 4) });
  }),
  write(
    "knows the session's time between messages",
    "Every message has session time beside the server's: it goes on with the server's clock.",
    time(BIRTH),
    (c) => {
      c.begins();
      for (let turn = 0; turn < 5; turn += 1) trip(c, 15, 15);
      c.delta({}).holds({ now: near(5_100, 2) }).wait(400).holds({ now: near(5_500, 2) });
    },
  ),
  write("stands still in a pause", "Session time does not go on while the session is paused, and goes on from where it stood.", time(BIRTH), (c) => {
    c.begins();
    for (let turn = 0; turn < 5; turn += 1) trip(c, 15, 15);
    c.delta({ ph: { status: "paused", phase: "active", state: "active" } }).wait(1_500).holds({ now: near(5_100, 2) });
    c.delta({ ph: { status: "active", phase: "active", state: "active", until: 905_000 } }, { ms: 0 });
    c.wait(300).holds({ now: near(5_400, 2) });
  }),
];
