// Real messages are held to protocol/messages.schema.json, and wrong ones are found by it.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { Server, WAIT_MS } from "../browser/support.mjs";
import { schema, faults, typesOf } from "./schemas.mjs";
import { DOCUMENT, play } from "./session.mjs";

const root = new URL("../../", import.meta.url);
const read = async (path) => JSON.parse(await readFile(new URL(path, root), "utf8"));
const side = (way) => (way === ">" ? "client" : "server");

/** The kit's cases in which there is something to be ignored. */
const UNKNOWN = /^does not know /;

/** What a placeholder of the server's clock stands for. */
function timed(value) {
  const found = typeof value === "string" && /^\$time(\+\d+)?$/.exec(value);
  return found ? 1_764_000_000_000 + Number(found[1] ?? 0) : value;
}

const kit = [];
for (const name of (await readdir(new URL("protocol/kit/cases/", root))).sort()) {
  const { rules, cases } = await read(`protocol/kit/cases/${name}`);
  for (const one of cases) {
    for (const step of one.steps) {
      const filled = JSON.parse(JSON.stringify(step), (_, value) => (value === "$rules" ? rules : timed(value)));
      if (filled.server) kit.push({ of: one.name, side: "server", message: filled.server });
      // One that has to have one of several fields is not written out.
      if (filled.client && !filled.has_one_of) kit.push({ of: one.name, side: "client", message: filled.client });
    }
  }
}

/** What the kit leaves open, and what nobody has said here. */
const ELSEWHERE = new Set(["renew"]);

let server;
let live;
before(async () => {
  server = await Server.start();
  const steps = await play(server);
  live = steps.flatMap(({ messages }) => messages.map(({ way, text }) => ({ side: side(way), message: JSON.parse(text) })));
  // What REST answered is no message.
  live = live.filter(({ message }) => message.t !== undefined);
}, { timeout: WAIT_MS * 2 });
after(() => server?.stop());

describe("the schemas", () => {
  test("hold what a real server says, and what its client does, to the letter", () => {
    for (const { side, message } of live) {
      assert.deepEqual(faults(side, message), [], JSON.stringify(message));
    }
    assert.ok(live.length > 30, `${live.length} messages`);
  });

  test("hold every message of the conformance kit, and find those that are there to be ignored", () => {
    const found = new Set();
    for (const { of, side, message } of kit) {
      // Which id a request has can be the client's own choice: a case then leaves it open.
      const wrong = faults(side, message).filter((fault) => side === "server" || !/must have required property 'id'/.test(fault));
      assert.ok(wrong.length === 0 || UNKNOWN.test(of), `${of}: ${JSON.stringify(message)}: ${wrong}`);
      wrong.forEach(() => found.add(of));
    }
    assert.equal(found.size, 5, `types, fields, events, words, and what is of a custom session: ${[...found]}`);
    assert.ok(kit.length > 500, `${kit.length} messages`);
  });

  test("hold the views that the engine made, to the letter", async () => {
    const { cases } = await read("tests/browser/vectors.json");
    for (const { name, snapshot, deltas, end } of cases) {
      const messages = [{ t: "snapshot", d: { ...snapshot, view: end.view } }, ...deltas.map((d) => ({ t: "delta", d }))];
      messages.forEach((message) => assert.deepEqual(faults("server", message).filter((fault) => !/required property '(id|time|epoch)'/.test(fault)), [], name));
    }
  });

  test("hold every message that the document shows", async () => {
    const document = await readFile(DOCUMENT, "utf8");
    const blocks = [...document.matchAll(/```text\n([^]*?)```/g)].map(([, block]) => block.replace(/\n {2,}/g, ""));
    const shown = blocks.flatMap((block) => block.split("\n")).filter((line) => /^[<>] \{"t":/.test(line));
    for (const line of shown.filter((line) => !line.includes("…"))) {
      assert.deepEqual(faults(side(line[0]), JSON.parse(line.slice(2))), [], line);
    }
    assert.ok(shown.length > 25, `${shown.length} messages`);
  });

  test("know every type that the kit and a server say", () => {
    const said = new Set([...live, ...kit].map(({ message }) => message.t));
    const unsaid = [...typesOf("client"), ...typesOf("server")].filter((type) => !said.has(type));
    assert.deepEqual(unsaid.filter((type) => !ELSEWHERE.has(type)), []);
  });

  test("find a field that is missing, of another type, or too much, in every message", () => {
    let planted = 0;
    for (const { side, message } of live) {
      const { required } = message.t === "joined" ? schema.definitions[message.d.type ? "joinedOther" : "joinedFight"] : schema.definitions[message.t].properties.d;
      const wrong = (change) => {
        const copy = structuredClone(message);
        change(copy.d);
        planted += 1;
        assert.notDeepEqual(faults(side, copy), [], `${JSON.stringify(copy)} is wrong`);
      };
      for (const name of required) {
        wrong((d) => delete d[name]);
        // What is relayed is anything.
        if (name !== "data") {
          wrong((d) => (d[name] = null));
          wrong((d) => (d[name] = name === "merge" ? ["not this"] : { not: "this" }));
        }
      }
      wrong((d) => (d.typo = 1));
      assert.notDeepEqual(faults(side, { ...message, t: "fly" }), []);
    }
    assert.ok(planted > 300, `${planted} planted`);
  });

  test("let a client say null for what may be absent, and no server", () => {
    const nulls = { client: 0, server: 0 };
    const fields = ({ side, message: { t, d } }) =>
      (t === "joined" ? schema.definitions[d.type ? "joinedOther" : "joinedFight"] : schema.definitions[t].properties.d).required ?? [];
    const all = [...live, { side: "client", message: { t: "renew", d: { ticket: "a.b.c", token: "d.e.f" } } }];
    for (const one of all) {
      const { side, message } = one;
      const known = Object.keys(schema.definitions[message.t].properties.d.properties ?? {});
      // A session's state is any JSON.
      const optional = known.filter((name) => !fields(one).includes(name) && name !== "state");
      for (const name of optional) {
        const said = { t: message.t, d: { ...message.d, [name]: null } };
        // Of an action the schema says, too, what its kind cannot do without.
        const needed = { attack: "to", move: "x y", ability: "a", item_use: "a" }[message.d.kind]?.split(" ").includes(name);
        assert.equal(faults(side, said).length === 0, side === "client" && !needed, JSON.stringify(said));
        nulls[side] += 1;
      }
    }
    assert.ok(nulls.client > 50 && nulls.server > 20, JSON.stringify(nulls));
    for (const d of [{ s: 1, id: 1, kind: "attack", to: null, c: null, z: 3 }, { s: 1, id: 1, kind: "defend", to: null, part: null, a: null, x: null, y: null }]) {
      assert.deepEqual(faults("client", { t: "action", d }), [], JSON.stringify(d));
    }
    for (const d of [{ s: 1, id: 1, kind: "attack", to: null, c: null, z: null }, { s: 1, id: 1, kind: "move", x: 1, y: null }]) {
      assert.notDeepEqual(faults("client", { t: "action", d }), [], JSON.stringify(d));
    }
    assert.notDeepEqual(faults("client", { t: "renew", d: { token: null, ticket: null } }), []);
  });

  test("find what is wrong deep in a message", () => {
    const delta = live.find(({ message: { t, d } }) => t === "delta" && d.ev && d.p).message;
    const cases = [
      (d) => (d.ev[0].k = "kit"),
      (d) => (d.p[0].hp = "83"),
      (d) => (d.p[0].x = 5),
      (d) => (d.p[0].i = 256),
      (d) => (d.p[0].team = 1),
      (d) => (d.c = [[1]]),
      (d) => (d.h = -1),
      (d) => (d.q = 1.5),
    ];
    for (const change of cases) {
      const copy = structuredClone(delta);
      change(copy.d);
      assert.notDeepEqual(faults("server", copy), [], JSON.stringify(copy));
    }
    for (const d of [{ s: 1, id: 1, kind: "attack" }, { s: 1, id: 1, kind: "attack", to: 1, c: 1 }, { s: 1, id: 0, kind: "defend" }, { s: 1, id: 1, kind: "move", x: 1 }]) {
      assert.notDeepEqual(faults("client", { t: "action", d }), [], JSON.stringify(d));
    }
    assert.notDeepEqual(faults("client", { t: "renew", d: { token: "a", ticket: "b" } }), []);
  });
});
