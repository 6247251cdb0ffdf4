import { SESSION, duel, handle, write } from "../script.mjs";

const s = handle(SESSION);
const attack = { kind: "attack", to: 1 };

export const topic = "Actions: every one is answered, once";
export const cases = [
  write("is acknowledged before the view shows it", "The answer comes first; it names the sequence that shows what it did.", {}, (c) => {
    c.begins().acts(1, { ...attack, part: "head" }).holds({ pending: [1] });
    c.server("ack", { s, id: 1, q: 11 }).holds({ pending: [], applied: 0, q: 10 });
    c.of().id = 1;
    c.delta({ ev: [{ k: "hit", by: 0, to: 1, n: 30 }], p: [{ i: 1, hp: 70 }] }).right({ applied: 1 });
    c.told([{ t: "ack", d: { id: 1, q: 11 } }, { t: "delta" }]);
  }),
  write("says what each kind needs", "Fields that have nothing to say are absent.", {}, (c) => {
    c.begins();
    const orders = [
      { kind: "attack", c: 0 },
      { kind: "attack", z: 0 },
      { kind: "defend" },
      { kind: "ability", a: 0, to: 1 },
      { kind: "item_use", a: 0, x: 100, y: 200 },
      { kind: "move", x: 1_550, y: -3 },
      { kind: "move", x: 1_560, y: 0, f: 359, vx: 300, vy: -20 },
    ];
    const all = ["to", "part", "a", "x", "y", "f", "vx", "vy", "c", "z"];
    orders.forEach((order, place) => {
      const id = place + 1;
      c.does("act", { order }).client("action", { s, id, ...order }, { lacks: all.filter((field) => !(field in order)) });
    });
    c.holds({ pending: [1, 2, 3, 4, 5, 6, 7] });
  }),
  write("is refused", "The reason is told, the view stays, and the next action has another id.", {}, (c) => {
    c.begins().acts(1, attack);
    c.server("refused", { s, id: 1, reason: "out_of_range", message: "The target is out of range." }).holds({ pending: [] });
    c.told([{ t: "refused", d: { id: 1, reason: "out_of_range" } }]).right();
    c.acts(2, { kind: "defend" });
  }),
  write("goes too fast", "The refusal says where the server has the player, and how far it could have gone.", {}, (c) => {
    c.begins().acts(1, { kind: "move", x: 2_500, y: 2_500 });
    c.server("refused", { s, id: 1, reason: "too_fast", x: 1_500, y: 2_500, allowed_cm: 60 });
    c.told([{ t: "refused", d: { id: 1, reason: "too_fast", x: 1_500, y: 2_500, allowed_cm: 60 } }]).holds({ pending: [] });
  }),
  write("has a field wrong", "Whatever is wrong with an action, it is answered by its id.", {}, (c) => {
    c.begins().acts(1, { kind: "attack", to: 1 });
    c.server("refused", { s, id: 1, reason: "bad_fields", message: "to: no such thing" });
    c.told([{ t: "refused", d: { id: 1, reason: "bad_fields" } }]).holds({ pending: [], status: "live" });
  }),
  write(
    "may be sent again",
    "What was refused for want of time is not remembered: the same id may be sent again, also after higher ones.",
    { needs: ["again"] },
    (c) => {
      c.begins().acts(1, attack).acts(2, { kind: "defend" });
      c.server("refused", { s, id: 1, reason: "cooldown", retry_ms: 400 }).server("ack", { s, id: 2, q: 11 });
      c.told([{ t: "refused", d: { id: 1, reason: "cooldown", retry_ms: 400 } }, { t: "ack", d: { id: 2 } }]);
      c.wait(400).does("again", { id: 1 }).client("action", { s, id: 1, ...attack }).holds({ pending: [1] });
      c.server("ack", { s, id: 1, q: 12 }).holds({ pending: [] });
      c.told([{ t: "ack", d: { id: 1, q: 12 } }]);
    },
  ),
  write("answers come in any order", "Each answer belongs to the id that it names.", {}, (c) => {
    c.begins().acts(1, attack).acts(2, attack).acts(3, attack).holds({ pending: [1, 2, 3] });
    c.server("ack", { s, id: 3, q: 12 }).holds({ pending: [1, 2] });
    c.delta({ p: [{ i: 1, hp: 70 }] }).right({ pending: [1, 2] });
    c.server("refused", { s, id: 1, reason: "stunned" }).server("ack", { s, id: 2, q: 13 }).holds({ pending: [] });
    c.told([{ t: "ack", d: { id: 3 } }, { t: "delta" }, { t: "refused", d: { id: 1 } }, { t: "ack", d: { id: 2 } }]);
  }),
  write("an answer comes twice", "A repeat is told once, and an answer to nothing is nothing.", {}, (c) => {
    c.begins().acts(1, attack);
    c.server("ack", { s, id: 1, q: 11 }).told([{ t: "ack", d: { id: 1 } }]);
    c.server("ack", { s, id: 1, q: 11 }).server("ack", { s, id: 900, q: 11 }).server("refused", { s, id: 901, reason: "busy" });
    c.told([], ["ack", "refused"]).holds({ pending: [], status: "live" });
  }),
  write("is forgotten, and was not applied", "`applied: false`: it certainly did not happen.", {}, (c) => {
    c.begins().acts(1, attack).server("forgotten", { s, id: 1, applied: false, last_id: 80 }).holds({ pending: [] });
    c.told([{ t: "forgotten", d: { id: 1, applied: false } }], ["ack", "refused"]);
    c.acts(81, attack);
  }),
  write("is forgotten, and nobody knows", "Without `applied` it is not known whether it happened; it is not repeated.", {}, (c) => {
    c.begins().acts(1, attack).server("forgotten", { s, id: 1, last_id: 100 }).holds({ pending: [] });
    c.told([{ t: "forgotten", d: { id: 1 } }], ["ack", "refused"]).quiet(3_000);
  }),
  write("ids go on from the last", "`last_id` is the highest that has an answer: the next one is above it.", {}, (c) => {
    c.of().lastId = 41;
    c.of().id = 40;
    c.begins().right({ applied: 40 }).acts(42, attack).acts(43, attack);
  }),
  write("ids are large", "Ids go up to 2^53; a client may stop one before that, and then sends nothing.", {}, (c) => {
    c.of().lastId = 9_007_199_254_740_989;
    c.begins().acts(9_007_199_254_740_990, attack).acts(9_007_199_254_740_991, attack);
    c.server("ack", { s, id: 9_007_199_254_740_990, q: 11 }).holds({ pending: [9_007_199_254_740_991] });
    c.of().id = 9_007_199_254_740_990;
    c.delta({}).right({ applied: 9_007_199_254_740_990 });
  }),
  write(
    "is shown what of its own is applied",
    "`id` is the highest of one's own that the state has; it comes with every delta and snapshot.",
    {},
    (c) => {
      c.begins().acts(1, { kind: "move", x: 1_550, y: 2_500 }).acts(2, { kind: "move", x: 1_600, y: 2_500 });
      c.server("ack", { s, id: 1, q: 11 }).server("ack", { s, id: 2, q: 12 });
      c.of().id = 1;
      c.delta({ p: [{ i: 0, x: 1_550, y: 2_500 }] }).right({ applied: 1 });
      c.of().id = 2;
      c.delta({ p: [{ i: 0, x: 1_600, y: 2_500 }] }).right({ applied: 2 });
      c.delta({ p: [{ i: 1, hp: 3 }] }).right({ applied: 2 });
    },
  ),
  write(
    "has all that is remembered on its way",
    "The answers of 64 ids are remembered: more than 64 at once could not be repeated.",
    { needs: ["window"] },
    (c) => {
      c.begins();
      for (let id = 1; id <= 64; id += 1) c.acts(id, { kind: "defend" });
      c.does("act", { order: attack }).quiet(500);
      c.server("ack", { s, id: 1, q: 11 }).acts(65, attack);
    },
  ),
  write(
    "is ready",
    "`ready` has no id; its refusal has id 0.",
    { view: duel({ phase: { status: "initializing", phase: "preparation", state: "preparation", until: 14_000 } }) },
    (c) => {
      c.of().view.participants[0].ready = false;
      c.begins().does("ready").client("ready", { s });
      c.server("refused", { s, id: 0, reason: "wrong_phase" }).told([{ t: "refused", d: { id: 0, reason: "wrong_phase" } }]);
      c.right({ pending: [] }).quiet(3_000);
    },
  ),
  write("concedes", "The seat is given up for good; the others go on, and so does what one is told of it.", {}, (c) => {
    c.begins().does("concede").client("concede", { s });
    c.delta({ ev: [{ k: "forfeited", by: 0 }], p: [{ i: 0, status: "eliminated" }] });
    c.right().told([{ t: "event", d: { k: "forfeited", by: 0 } }], ["left", "closed"]);
  }),
];
