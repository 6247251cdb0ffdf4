// What the tests of pages share: a server of their own, a browser, and visitors who remember every complaint of a page.
//
// TILTYARD_BIN   the server (default: the release, then the debug build)
// CHROMIUM       the browser (default: /usr/bin/chromium)
// SCREENSHOTS    where pictures go (default: a new temporary folder)

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { chromium } from "playwright-core";

/** Far more than any step takes, for machines that have much else to do. */
export const WAIT_MS = 60_000;
export const WIDE = { width: 1280, height: 800 };

const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));
const built = (name) => ["release", "debug"].map((build) => join(target, build, name)).find(existsSync);
export const binary = process.env.TILTYARD_BIN ?? built("tiltyard");
/** Beside the server, where that was named. */
const loadtest = process.env.TILTYARD_BIN ? `${process.env.TILTYARD_BIN}-loadtest` : built("tiltyard-loadtest");

/** A server on its own data; stopped without mercy, for that is what it is made for. */
export class Server {
  #process;
  #log = [];

  constructor(data) {
    this.data = data;
  }

  static async start() {
    assert.ok(binary, "build the server first (cargo build --release), or name it in TILTYARD_BIN");
    const server = new Server(await mkdtemp(join(tmpdir(), "tiltyard-")));
    await server.listen("127.0.0.1:0");
    return server;
  }

  async listen(address) {
    const child = spawn(binary, ["--listen", address, "--data", this.data], { stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    createInterface({ input: child.stderr }).on("line", (line) => this.#log.push(line));
    this.url = await new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`the server ${why}\n${this.#log.join("\n")}`));
      const timer = setTimeout(() => fail("did not say where it listens"), WAIT_MS);
      child.on("error", (error) => fail(`did not start: ${error.message}`));
      child.on("exit", (code) => fail(`ended with code ${code}`));
      createInterface({ input: child.stdout }).on("line", (line) => {
        const said = line.match(/listening on (http:\/\/\S+)/);
        if (said) {
          clearTimeout(timer);
          resolve(said[1]);
        }
      });
    });
  }

  /** Kills it, and has it gone when this returns. */
  async kill() {
    const child = this.#process;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
  }

  /** Starts it again where it was. */
  restart() {
    return this.listen(new URL(this.url).host);
  }

  /**
   * Bots that take `count` seats of the next fight of this kind, play it to its result, and say what they saw; `seated` and
   * `done` tell when they have.
   */
  bots(kind, count, { ruleset = "default", difficulty = "normal" } = {}) {
    assert.ok(loadtest, "build the bots first (cargo build --release -p tiltyard-loadtest)");
    const wish = ["--fill", kind, "--ruleset", ruleset, "--difficulty", difficulty];
    const child = spawn(loadtest, ["bots", "--url", this.url, "--count", String(count), ...wish]);
    const said = [];
    let seat;
    const seated = new Promise((resolve) => (seat = resolve));
    createInterface({ input: child.stdout }).on("line", (line) => said.push(line) && line.startsWith("seated") && seat());
    createInterface({ input: child.stderr }).on("line", (line) => said.push(line));
    const done = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => (code === 0 ? resolve(said.join("\n")) : reject(new Error(`bots: ${said.join("\n")}`))));
    });
    return { seated: Promise.race([seated, done]), done, stop: () => child.kill() };
  }

  /** A token, made as an operator makes one. */
  async token(...grant) {
    const { stdout } = await promisify(execFile)(binary, ["token", "--data", this.data, ...grant]);
    return stdout.trim();
  }

  /** Has an administrator set a session's status. */
  async set(session, status) {
    const token = await this.token("--admin");
    const answer = await fetch(`${this.url}/sessions/${session}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ status }),
    });
    assert.equal(answer.status, 200, await answer.text());
  }

  async stop() {
    await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }
}

/** A way to a server that can be cut under those who use it. */
export class Cable {
  #ends = new Set();
  #entry;

  static async to(url) {
    const cable = new Cable();
    const { hostname, port } = new URL(url);
    cable.#entry = createServer((near) => cable.#tie(near, connect(port, hostname)));
    await new Promise((resolve) => cable.#entry.listen(0, "127.0.0.1", resolve));
    cable.url = `http://127.0.0.1:${cable.#entry.address().port}`;
    return cable;
  }

  #tie(near, far) {
    for (const end of [near, far]) {
      this.#ends.add(end);
      end.on("error", () => {});
      end.on("close", () => {
        this.#ends.delete(end);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  }

  /** Ends every connection; new ones may be opened at once. */
  cut() {
    this.#ends.forEach((end) => end.destroy());
  }

  async close() {
    const closed = new Promise((resolve) => this.#entry.close(resolve));
    this.cut();
    await closed;
  }
}

/** The folder for pictures. */
export async function shotsFolder() {
  const shots = process.env.SCREENSHOTS ?? (await mkdtemp(join(tmpdir(), "tiltyard-screenshots-")));
  await mkdir(shots, { recursive: true });
  return shots;
}

/** A browser. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/**
 * A person with a browser of their own, at `url`. Where there are to be `noGuests`, the server's answer to who asks to be one is
 * put in its place before the page is there: a page that is there already may send its next request past whoever has just begun
 * to listen, to the real server.
 */
export async function visitor(browser, url, { noGuests = false, ...options } = {}) {
  const context = await browser.newContext({ viewport: WIDE, ...options });
  if (noGuests) {
    const refusal = { code: 403, message: "Guests are not admitted.", details: { reason: "forbidden" } };
    await context.route("**/guest", (route) => route.fulfill({ status: 403, json: refusal }));
  }
  await context.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      window.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(error.stack));
  page.on("console", (message) => {
    if (message.type() === "error") {
      page.complaints.push(message.text());
    }
  });
  await page.goto(url);
  return page;
}

/** None of these pages logged an error, threw one, or was kept from something by its policy. */
export async function noComplaints(pages) {
  for (const page of pages) {
    assert.deepEqual(page.complaints, []);
    assert.deepEqual(await page.evaluate(() => window.violations), []);
  }
}
