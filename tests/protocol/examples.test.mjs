// The clients of docs/examples fight each other, over a connection that breaks and on a real server that dies under them. What the browser's is told is held to the schemas.
//
// PYTHON   a Python 3 with the modules of requirements.txt (default: python3)

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { Server, WAIT_MS, launch, visitor } from "../browser/support.mjs";
import { faults } from "./schemas.mjs";

const examples = new URL("../../docs/examples/", import.meta.url);

/** The Python client, and what it has said. */
class Program {
  lines = [];
  #looks = new Set();

  constructor(url) {
    const child = spawn(process.env.PYTHON ?? "python3", [fileURLToPath(new URL("duel.py", examples)), url], { stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        this.#looks.forEach((look) => look());
      });
    }
    this.over = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`ended with ${code}: ${this.lines.join("\n")}`))));
    });
    this.over.catch(() => {});
  }

  /** Waits for a line that is like this, from here on. */
  says(wanted) {
    const from = this.lines.length;
    const said = new Promise((resolve) => {
      const look = () => {
        const found = this.lines.slice(from).find((line) => wanted.test(line));
        if (found !== undefined) {
          this.#looks.delete(look);
          resolve(found);
        }
      };
      this.#looks.add(look);
      look();
    });
    return Promise.race([said, this.over.then(() => assert.fail(`it never said ${wanted}: ${this.lines.join("\n")}`))]);
  }
}

/** A way to the server that can be cut after the client has said something whose answer it has not heard. */
class Way {
  #cutAfter = 0;

  async open(to) {
    this.server = createServer((near) => {
      const far = connect(Number(to.port), to.hostname);
      const end = () => [near, far].forEach((socket) => socket.destroy());
      for (const socket of [near, far]) {
        socket.on("error", end);
        socket.on("close", end);
      }
      near.on("data", (some) => {
        far.write(some);
        if (this.#cutAfter > 0 && (this.#cutAfter -= 1) === 0) {
          end();
        }
      });
      far.on("data", (some) => this.#cutAfter === 0 && near.write(some));
    });
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  /** Lets no answer through, and breaks when the client has spoken so many times: more often than it can have pinged. */
  cut(after = 4) {
    this.#cutAfter = after;
  }
}

let server;
let browser;
let way;
before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  way?.server?.close();
  await browser?.close();
  await server?.stop();
});

describe("the example clients", () => {
  test("fight each other, and go on where they were when a connection has broken and the server has died", { timeout: WAIT_MS * 2 }, async () => {
    const page = await visitor(browser, server.url);
    const heard = [];
    page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => heard.push({ side: "server", text: payload }));
      socket.on("framesent", ({ payload }) => heard.push({ side: "client", text: payload }));
    });
    await page.goto(`${server.url}/docs/examples/client.html`);
    const told = (wanted) => page.waitForFunction((text) => new RegExp(text).test(document.querySelector("#told")?.textContent), wanted);
    await told("joined as 0");
    way = new Way();
    const program = new Program(await way.open(new URL(server.url)));
    await program.says(/^ack 3 /);
    const cut = program.says(/^resumed as 1/);
    way.cut();
    await cut;
    await program.says(/^ack /);
    // It walks down, and strikes once.
    await page.keyboard.down("ArrowDown");
    await page.keyboard.press(" ");
    await told("ack 3 ");

    await server.kill();
    const resumed = program.says(/^resumed as 1/);
    await server.restart();
    await Promise.all([resumed, told("resumed as 0")]);
    await Promise.all([program.says(/^ack /), told("resumed as 0[^]*ack ")]);

    // The page's player walks on and does not strike; the other one strikes until it is over.
    await Promise.all([program.over, told("result last_standing winner 1")]);
    assert.match(program.lines.at(-1), /^result last_standing winner 1$/);
    const answered = program.lines.map((line) => line.match(/^(?:ack|refused) (\d+) /)?.[1]).filter(Boolean).map(Number);
    assert.deepEqual(answered, answered.map((_, i) => i + 1), "every action was answered, once and in order");

    const types = new Set(heard.map(({ text }) => JSON.parse(text).t));
    assert.ok(["join", "action", "ping", "joined", "snapshot", "delta", "ack", "pong", "result"].every((type) => types.has(type)), `${[...types]}`);
    for (const { side, text } of heard) {
      assert.deepEqual(faults(side, JSON.parse(text)), [], text);
    }
  });

  test("are short enough to be read", async () => {
    const lines = (text, comment) => text.replace(/"""[^]*?"""/g, "").split("\n").filter((line) => line.trim() !== "" && !comment.test(line));
    const [python, script] = [/^\s*#/, /^\s*(\/\/|\/\*\*)/];
    const most = { "client.py": [145, python], "client.js": [130, script], "view.py": [70, python], "view.js": [60, script], "duel.py": [40, python], "duel.js": [60, script] };
    for (const [name, [bound, comment]] of Object.entries(most)) {
      const count = lines(await readFile(new URL(name, examples), "utf8"), comment).length;
      assert.ok(count <= bound, `${name} has ${count} lines`);
    }
  });
});
