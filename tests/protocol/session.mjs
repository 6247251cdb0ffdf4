// The session that docs/PROTOCOL.md shows, played against a real server: two guests in a duel, of whom Ann's socket is written down. The
// document has what this recorded; document.test.mjs plays it again and compares the shape.
//
//   node --experimental-websocket tests/protocol/session.mjs            prints it
//   node --experimental-websocket tests/protocol/session.mjs --write    writes it into the document, where a message has changed

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { Server, WAIT_MS } from "../browser/support.mjs";

export const DOCUMENT = new URL("../../docs/PROTOCOL.md", import.meta.url);

/** What stands for the rest of an object. */
const REST = "…";
const WIDTH = 150;

/** A guest's socket, which remembers everything that went over it. */
class Line {
  said = [];
  #waiting = [];

  constructor(url) {
    this.socket = new WebSocket(url, "tiltyard.v2.json");
    this.opened = new Promise((resolve, reject) => {
      this.socket.onopen = resolve;
      this.socket.onerror = () => reject(new Error("the socket was refused"));
    });
    this.socket.onmessage = ({ data }) => {
      this.said.push({ way: "<", text: data, ...JSON.parse(data) });
      this.#waiting = this.#waiting.filter((look) => !look());
    };
  }

  say(t, d) {
    const text = JSON.stringify({ t, d });
    this.said.push({ way: ">", text, t, d });
    this.socket.send(text);
  }

  /** Waits until one of the messages that came is as `wanted` says. */
  until(what, wanted) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${what}; there was ${this.said.map(({ text }) => text).join("\n")}`)), WAIT_MS);
      const look = () => {
        const found = this.said.find((message) => message.way === "<" && wanted(message));
        if (found) {
          clearTimeout(timer);
          resolve(found);
        }
        return found !== undefined;
      };
      if (!look()) {
        this.#waiting.push(look);
      }
    });
  }

  /** Waits for the newest sequence to be this one. */
  at(q) {
    return this.until(`sequence ${q}`, ({ t, d }) => (t === "delta" || t === "snapshot") && d.q >= q);
  }

  answered(id) {
    return this.until(`answer to ${id}`, ({ t, d }) => (t === "ack" || t === "refused") && d.id === id);
  }

  async close() {
    const closed = new Promise((resolve) => (this.socket.onclose = resolve));
    this.socket.close(1000);
    await closed;
  }
}

async function post(url, token, body) {
  const heads = { ...(token && { authorization: `Bearer ${token}` }), ...(body && { "content-type": "application/json" }) };
  const answer = await fetch(url, { method: "POST", headers: heads, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, text);
  return { text, ...JSON.parse(text) };
}

const event = (k, by) => ({ t, d }) => t === "delta" && d.ev?.some((one) => one.k === k && one.by === by);
const is = (wanted) => ({ t }) => t === wanted;
const begins = ({ t, d }) => t === "delta" && d.ph?.phase === "active";

/** Plays what the document shows against a server, and answers with its steps: of each its name, and its messages in order. */
export async function play(server) {
  return [...(await duel(server.url)), ...(await fog(server.url)), await lobby(server)];
}

async function duel(url) {
  const steps = [];
  let line;
  let taken = 0;
  const step = (name, messages = line.said.slice(taken)) => {
    steps.push({ name, messages: messages.map(({ way, text }) => ({ way, text })) });
    taken = line?.said.length ?? 0;
  };

  const [ann, bob] = [await post(`${url}/guest`), await post(`${url}/guest`)];
  step("guest", [{ way: "<", text: ann.text }]);
  const seat = await post(`${url}/arena/seats`, ann.token, { kind: "duel" });
  const other = await post(`${url}/arena/seats`, bob.token, { kind: "duel" });
  assert.equal(other.session_id, seat.session_id, "both are in one fight");
  step("seat", [{ way: "<", text: seat.text }]);

  line = new Line(seat.url);
  await line.opened;
  const session = seat.session_id;
  line.say("join", { session });
  const { d: joined } = await line.until("joined", is("joined"));
  const { d: snapshot } = await line.until("snapshot", is("snapshot"));
  step("join");

  const { s } = joined;
  const theirs = new Line(other.url);
  await theirs.opened;
  theirs.say("join", { session });
  await line.until("the other", event("connected", 1));
  line.say("ready", { s });
  await line.until("ready", event("ready", 0));
  theirs.say("ready", { s });
  await line.until("the beginning", begins);
  step("ready");

  line.say("ping", { n: 1, s });
  await line.until("pong", is("pong"));
  step("ping");

  const [me, them] = snapshot.view.participants;
  line.say("action", { s, id: 1, kind: "move", x: me.x + 50, y: me.y });
  const { d: moved } = await line.answered(1);
  await line.at(moved.q);
  step("move");

  theirs.say("action", { s, id: 1, kind: "move", x: them.x, y: them.y - 60 });
  await line.at(moved.q + 1);
  step("other");

  line.say("action", { s, id: 2, kind: "move", x: me.x + 5_000, y: me.y });
  await line.answered(2);
  line.say("action", { s, id: 3, kind: "attack", to: 1 });
  const { d: hit } = await line.answered(3);
  await line.at(hit.q);
  line.say("action", { s, id: 4, kind: "attack", to: 1 });
  await line.answered(4);
  step("act");

  // Ann's connection ends before she has the answer to her next action, as far as she knows.
  await line.close();
  await theirs.until("the loss", event("disconnected", 0));
  theirs.say("action", { s, id: 2, kind: "move", x: them.x, y: them.y - 120 });
  await theirs.answered(2);
  const again = await post(`${url}/sessions/${session}/tickets`, ann.token);
  step("ticket", [{ way: "<", text: again.text }]);
  line = new Line(again.url);
  taken = 0;
  await line.opened;
  line.say("join", { session, seq: hit.q, epoch: joined.epoch, rules: joined.rules.hash });
  const { d: back } = await theirs.until("the return", event("connected", 0));
  await line.at(back.q);
  line.say("action", { s, id: 3, kind: "attack", to: 1 });
  await line.answered(3);
  step("resume");

  theirs.say("concede", { s });
  await line.until("result", is("result"));
  line.say("leave", { s });
  await line.until("left", is("left"));
  step("end");
  await Promise.all([line.close(), theirs.close()]);
  return steps;
}

/** A duel of two who do not see each other. */
async function fog(url) {
  const guests = [await post(`${url}/guest`), await post(`${url}/guest`)];
  const lines = [];
  for (const { token } of guests) {
    const seat = await post(`${url}/arena/seats`, token, { kind: "duel", ruleset: "arena-fast" });
    const line = new Line(seat.url);
    await line.opened;
    line.say("join", { session: seat.session_id });
    await line.until("snapshot", is("snapshot"));
    lines.push(line);
  }
  const [ann, bob] = lines;
  const { s, view } = bob.said.find(is("snapshot")).d;
  lines.forEach((line) => line.say("ready", { s }));
  await Promise.all(lines.map((line) => line.until("the beginning", begins)));
  const [annTaken, bobTaken] = lines.map(({ said }) => said.length);
  const { x, y } = view.participants[1];
  bob.say("action", { s, id: 1, kind: "move", x, y: y - 50 });
  const { d: moved } = await bob.answered(1);
  await Promise.all(lines.map((line) => line.at(moved.q)));
  ann.say("action", { s, id: 1, kind: "attack", to: 1 });
  await ann.answered(1);
  await Promise.all(lines.map((line) => line.close()));
  return [
    { name: "fog, the one who moves", messages: bob.said.slice(bobTaken) },
    { name: "fog, the other", messages: ann.said.slice(annTaken) },
  ];
}

/** A custom session of two, of which the second one's socket is written down. */
async function lobby(server) {
  const { url } = server;
  const players = [randomUUID(), randomUUID()];
  const tokens = await Promise.all(players.map((player) => server.token("--player", player)));
  const [ann, bob] = players;
  const made = { type: "custom", player_id: ann, settings: { members: [bob] } };
  const { session_id: session } = await post(`${url}/sessions`, tokens[0], made);
  const enter = async (token) => {
    const line = new Line((await post(`${url}/sessions/${session}/tickets`, token)).url);
    await line.opened;
    line.say("join", { session });
    return { line, joined: (await line.until("joined", is("joined"))).d };
  };
  const { line: hers, joined: { s } } = await enter(tokens[0]);
  hers.say("patch", { s, id: 1, merge: { map: "yard", counter: 1 } });
  await hers.answered(1);
  const { line: his, joined: { version } } = await enter(tokens[1]);
  hers.say("patch", { s, id: 2, merge: { counter: 2 } });
  await his.until("her change", ({ t, d }) => t === "state" && d.version === version + 1);
  hers.say("relay", { s, id: 3, data: { wave: true } });
  await his.until("her wave", is("relayed"));
  his.say("patch", { s, id: 1, merge: { counter: 3 }, if: version + 1 });
  await his.answered(1);
  hers.say("leave", { s });
  await his.until("that she is gone", is("presence"));
  await Promise.all([hers.close(), his.close()]);
  return { name: "lobby", messages: his.said };
}

/** A message as the document shows it: what is long and says nothing here is left out. */
export function shown({ way, text }) {
  const message = JSON.parse(text);
  const cut = (value) => (typeof value === "string" && value.length > 60 ? `${value.slice(0, 40)}${REST}` : value);
  const short = Object.fromEntries(Object.entries(message).map(([key, value]) => [key, cut(value)]));
  if (message.d?.rules?.abilities) {
    const { name, title, hash, speed_cm_per_s, field } = message.d.rules;
    const { name: yard, width_cm, height_cm } = field;
    const rules = { name, title, hash, speed_cm_per_s, field: { name: yard, width_cm, height_cm, [REST]: REST }, [REST]: REST };
    short.d = { ...message.d, rules };
  }
  return wrapped(`${way} ${JSON.stringify(short)}`);
}

/** In lines that can be read, broken behind commas. */
function wrapped(text) {
  const lines = [];
  let rest = text;
  while (rest.length > WIDTH) {
    const [, head] = rest.slice(0, WIDTH).match(/^(.{3,}),(?=["{])/) ?? [];
    if (head === undefined) {
      break;
    }
    const cut = head.length;
    lines.push(rest.slice(0, cut + 1));
    rest = `  ${rest.slice(cut + 1)}`;
  }
  return [...lines, rest].join("\n");
}

const block = (name) => new RegExp(`(<!-- session: ${name} -->\n+\`\`\`text\n)([^]*?)(\`\`\`)`);

/** The messages that the document shows of a step. */
export function inDocument(document, name) {
  const found = document.match(block(name));
  assert.ok(found, `the document shows the step ${name}`);
  const lines = found[2].trimEnd().split("\n");
  return lines
    .reduce((all, line) => (/^[<>] /.test(line) ? [...all, line] : [...all.slice(0, -1), `${all.at(-1)}${line.trim()}`]), [])
    .map((line) => ({ way: line[0], text: line.slice(2) }));
}

/** The document with these steps in it. */
function written(document, steps) {
  return steps.reduce((text, { name, messages }) => {
    inDocument(text, name);
    return text.replace(block(name), (_, head, __, foot) => `${head}${messages.map(shown).join("\n")}\n${foot}`);
  }, document);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await Server.start();
  try {
    const steps = await play(server);
    if (process.argv.includes("--write")) {
      await writeFile(DOCUMENT, written(await readFile(DOCUMENT, "utf8"), steps));
    } else {
      steps.forEach(({ name, messages }) => console.log(`--- ${name}\n${messages.map(shown).join("\n")}`));
    }
  } finally {
    await server.stop();
  }
}
