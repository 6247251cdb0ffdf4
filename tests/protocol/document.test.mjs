// What docs/PROTOCOL.md shows and lists is what there is: its session is played again, its vector computed, its delays compared.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";

import { Server, WAIT_MS } from "../browser/support.mjs";
import { DOCUMENT, inDocument, play } from "./session.mjs";

const root = new URL("../../", import.meta.url);
const document = await readFile(DOCUMENT, "utf8");

/** The rows of the table behind this mark, as their cells. */
function table(mark) {
  const [, text] = document.split(`<!-- ${mark} -->\n`);
  const lines = text.slice(0, text.indexOf("\n\n")).split("\n").slice(2);
  return lines.map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

let server;
before(async () => (server = await Server.start()));
after(() => server?.stop());

/** Texts that are a name of something; any other is of this session alone. */
const NAMES = new Set(["t", "k", "kind", "reason", "status", "phase", "state", "resume", "why", "end", "name", "title"]);
/** What chance decides. */
const CHANCE = new Set(["crit", "abs"]);

/** Whether what is shown is what comes: the same fields of the same types, names and truths alike. */
function alike(shown, real, where) {
  if (Array.isArray(shown)) {
    assert.ok(Array.isArray(real) && real.length === shown.length, `${where}: ${JSON.stringify(real)}`);
    shown.forEach((item, i) => alike(item, real[i], `${where}[${i}]`));
  } else if (typeof shown === "object") {
    const names = (value) => Object.keys(value).filter((name) => name !== "…" && !CHANCE.has(name));
    const kept = names(real).filter((name) => !("…" in shown) || name in shown);
    assert.deepEqual(names(shown), kept, where);
    names(shown).forEach((name) => alike(shown[name], real[name], `${where}.${name}`));
  } else {
    assert.equal(typeof shown, typeof real, where);
    const is = where.slice(where.lastIndexOf(".") + 1);
    if (typeof shown === "boolean" || (typeof shown === "string" && NAMES.has(is))) {
      assert.equal(shown, real, where);
    }
  }
}

describe("the session that the document shows", () => {
  test("is what a server says", { timeout: WAIT_MS * 2 }, async () => {
    const steps = await play(server);
    assert.equal(document.match(/<!-- session: /g).length, steps.length, "every step is shown");
    for (const { name, messages } of steps) {
      const shown = inDocument(document, name);
      assert.equal(shown.map(({ way }) => way).join(""), messages.map(({ way }) => way).join(""), `${name}: who speaks when`);
      shown.forEach(({ text }, i) => alike(JSON.parse(text), JSON.parse(messages[i].text), `${name} ${i}`));
    }
  });

  test("is one session from its beginning to its end", () => {
    const all = [...document.matchAll(/<!-- session: ([^>]*) -->/g)].map(([, name]) => name);
    const duel = all.filter((name) => !/^(fog|lobby)/.test(name)).flatMap((name) => inDocument(document, name));
    const said = duel.map(({ text }) => JSON.parse(text)).filter(({ t }) => t);
    const { session, s } = said.find(({ t }) => t === "joined").d;
    assert.equal(Number.parseInt(session.slice(-8), 16), s, "the handle is the last four bytes of the id");
    assert.ok(said.every(({ d }) => d.s === undefined || d.s === s), "every message is of it");
    let q = 0;
    for (const { t, d } of said) {
      assert.ok(t !== "delta" || d.q === q + 1, `after ${q} comes ${d.q}`);
      q = t === "delta" || t === "snapshot" ? d.q : q;
    }
  });
});

describe("the digest's vector", () => {
  const block = (name) => document.match(new RegExp(`<!-- digest: ${name} -->\n\`\`\`[a-z]+\n([^]*?)\`\`\``))[1];

  test("is the kit's, and its words are those of its view", async () => {
    const { vectors } = JSON.parse(await readFile(new URL("protocol/kit/digests.json", root), "utf8"));
    const view = JSON.parse(block("view"));
    const words = block("words").trim().split("\n").flatMap((line) => line.split(": ")[1].split(" ").map(Number));
    const found = vectors.find((vector) => JSON.stringify(vector.words.map(([, word]) => word)) === JSON.stringify(words));
    assert.deepEqual(found?.view, view);
    const sum = words.reduce((h, word) => ((h = Math.imul(h ^ word, 0x9e3779b1)), h ^ (h >>> 15)), 0x811c9dc5) >>> 0;
    assert.equal(Number(document.match(/have the digest (\d+)\./)[1]), sum);
  });

  test("byte orders are as in the example", () => {
    const [, end, hex, number] = document.match(/of `…-([0-9a-f-]+)` it is (0x[0-9a-f]+), (\d+)\./);
    assert.equal(Number(hex), Number(number));
    assert.equal(end.replaceAll("-", "").slice(-8), hex.slice(2));
  });
});

describe("the close codes", () => {
  const seconds = (text) => Number.parseFloat(text) * 1_000;
  const waits = new Map(table("delays").map(([name, first, , most, share]) => [name, { first: seconds(first), most: seconds(most), share: Number.parseInt(share, 10) / 100 }]));

  test("have the delays that the TypeScript client takes", async () => {
    const { comesBack, delayMs } = await import(new URL("clients/typescript/dist/closing.js", root));
    for (const [code, , back] of table("codes").filter(([code]) => /^\d+$/.test(code))) {
      const wait = waits.get([...waits.keys()].find((name) => back.startsWith(name)));
      assert.equal(comesBack(Number(code)), wait !== undefined, `${code}: ${back}`);
      if (wait) {
        const { first, most, share } = wait;
        const about = (value) => Math.round(value);
        assert.equal(about(delayMs(Number(code), 0, 1)), first, `${code}: first`);
        assert.equal(about(delayMs(Number(code), 0, 0)), about(first * (1 - share)), `${code}: what chance leaves of it`);
        assert.equal(about(delayMs(Number(code), 2, 1)), Math.min(most, first === 0 ? 600 : first * 4), `${code}: third`);
        assert.equal(about(delayMs(Number(code), 30, 1)), most, `${code}: most`);
      }
    }
  });

  test("are those of the example clients", async () => {
    const backs = (text) => [...text.match(/BACK = \{([^}]*)\}/)[1].matchAll(/(\d+): (\w+)/g)].map(([, code, name]) => [code, name.toLowerCase().replace("_", " ")]);
    const listed = table("codes").filter(([, , back]) => !back.startsWith("no") && back !== "").map(([code, , back]) => [code, [...waits.keys()].find((name) => back.startsWith(name))]);
    for (const name of ["client.py", "client.js"]) {
      const text = await readFile(new URL(`docs/examples/${name}`, root), "utf8");
      assert.deepEqual(backs(text).sort(), listed.sort(), name);
      for (const [wait, { first, most, share }] of waits) {
        const [unit, figures] = name.endsWith("py") ? [1_000, "\\(([^)]*)\\)"] : [1, "\\[([^\\]]*)\\]"];
        const order = text.match(/^.*SOON, SPREAD, AT_ONCE, LATER.*$/m)[0];
        const all = [...order.split("=")[1].matchAll(new RegExp(figures, "g"))].map(([, found]) => found.replace(/^\[/, "").replaceAll("_", "").split(",").map(Number));
        const [begin, end, chance] = all[[...waits.keys()].indexOf(wait)];
        assert.deepEqual([begin * unit, end * unit, chance], [first, most, share], `${name}: ${wait}`);
      }
    }
  });
});

describe("compression", () => {
  /** The head of the answer to an upgrade that offers it, and the code of the close after a frame that says it is compressed. */
  async function offered() {
    const guest = await (await fetch(`${server.url}/guest`, { method: "POST" })).json();
    const heads = { authorization: `Bearer ${guest.token}`, "content-type": "application/json" };
    const seat = await (await fetch(`${server.url}/arena/seats`, { method: "POST", headers: heads, body: '{"kind":"brawl"}' })).json();
    const url = new URL(seat.url);
    const socket = connect(Number(url.port), url.hostname);
    const lines = ["upgrade: websocket", "connection: Upgrade", "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="];
    const offer = "sec-websocket-extensions: permessage-deflate; client_max_window_bits";
    socket.write([`GET ${url.pathname}${url.search} HTTP/1.1`, `host: ${url.host}`, ...lines, offer, "", ""].join("\r\n"));
    let bytes = Buffer.alloc(0);
    let asked = false;
    for await (const some of socket) {
      bytes = Buffer.concat([bytes, some]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end >= 0 && !asked) {
        asked = true;
        socket.write(Buffer.from([0xc1, 0x82, 0, 0, 0, 0, 0x7b, 0x7d]));
      }
      if (end >= 0 && bytes.length >= end + 8) {
        socket.destroy();
        return { head: bytes.subarray(0, end).toString(), opcode: bytes[end + 4], code: bytes.readUInt16BE(end + 6) };
      }
    }
    return assert.fail(`the connection ended: ${bytes}`);
  }

  test("is not negotiated, and a compressed frame is an error", { timeout: WAIT_MS }, async () => {
    const { head, opcode, code } = await offered();
    assert.match(head, /^HTTP\/1\.1 101 /);
    assert.doesNotMatch(head.toLowerCase(), /sec-websocket-extensions/);
    assert.deepEqual([opcode, code], [0x88, 1002]);
  });
});
