// The clients of docs/examples, each in a world that a test plays: its connections, the time, the dice and the answers to its requests. Both
// hosts do the same: what has happened since is in `events`, and time passes on demand alone, up to the next thing that happens.

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const examples = new URL("../../../docs/examples/", import.meta.url);
export const source = (name) => readFile(new URL(name, examples), "utf8");

/** docs/examples/client.js, in this process. */
export class InPage {
  static of = ["view.js", "client.js"];
  events = [];
  now = 1_000_000;
  #timers = new Map();
  #serial = 0;

  constructor(...texts) {
    this.texts = texts;
  }

  async connect(session, tickets) {
    this.events = [];
    this.#timers.clear();
    let minted = 0;
    const fetch = async () => {
      const ticket = tickets[minted] ?? "ok";
      minted += 1;
      const heads = new Headers(ticket.retry_ms === undefined ? {} : { "retry-after": `${ticket.retry_ms / 1_000}` });
      return { ok: ticket === "ok", status: ticket.status, headers: heads, json: async () => ({ url: `ws://127.0.0.1/ws?ticket=${minted}` }) };
    };
    const world = {
      fetch,
      WebSocket: this.#sockets(),
      setTimeout: (action, ms) => this.#later(action, ms),
      setInterval: (action, ms) => this.#later(action, ms, ms),
      clearInterval: (timer) => this.#timers.delete(timer),
      Date: { now: () => this.now },
      Math: Object.assign(Object.create(Math), { random: () => 0.5 }),
    };
    const plain = this.texts.map((text) => text.replaceAll(/^import .*$/gm, "").replaceAll(/^export /gm, ""));
    const make = new Function(...Object.keys(world), `${plain.join("\n")}\nreturn { Fight, digest };`);
    const { Fight, digest } = make(...Object.values(world));
    this.digest = digest;
    this.fight = new Fight("token", session, undefined, (t, d) => this.events.push({ told: t, d }));
    return this.#settle();
  }

  #sockets() {
    const host = this;
    return class {
      static OPEN = 1;
      readyState = 0;
      constructor(url, asked) {
        host.line = this;
        host.events.push({ dials: url, asked });
      }
      send(text) {
        if (this.readyState !== 1) throw new Error("said on a connection that is not open");
        host.events.push({ said: text, at: host.now });
      }
      close() {
        if (this.readyState < 2) host.events.push({ closes: true });
        this.readyState = 2;
      }
    };
  }

  #later(action, ms, every) {
    this.#serial += 1;
    this.#timers.set(this.#serial, { at: this.now + ms, action, every });
    return this.#serial;
  }

  /** Lets everything happen that needs no time. */
  #settle() {
    return new Promise((resolve) => setImmediate(resolve));
  }

  accept() {
    this.line.readyState = 1;
    this.line.onopen();
    return this.#settle();
  }

  say(text) {
    this.line.onmessage({ data: text });
    return this.#settle();
  }

  end(code) {
    this.line.readyState = 3;
    this.line.onclose({ code });
    return this.#settle();
  }

  do(verb, order) {
    if (verb === "act") this.fight.act(order);
    else if (verb === "close") this.fight.close();
    else this.fight.say(verb);
    return this.#settle();
  }

  async pass(ms) {
    const end = this.now + ms;
    await this.#settle();
    while (this.events.length === 0 && this.now < end) {
      const [[serial, timer] = [0, { at: Infinity }]] = [...this.#timers].sort(([a, one], [b, other]) => one.at - other.at || a - b);
      this.now = Math.min(end, timer.at);
      if (timer.at > end) return;
      this.#timers.delete(serial);
      if (timer.every !== undefined) this.#timers.set(serial, { ...timer, at: timer.at + timer.every });
      timer.action();
      await this.#settle();
    }
  }

  async state() {
    const { status, code, seq, at, epoch, view, slot, team, rules, pending, applied, pongs } = this.fight;
    const has = { status, code, q: seq, at, epoch, view, slot, team, rules: rules?.hash, pending: [...pending.keys()], applied };
    const clock = pongs.length > 0 ? this.fight.clock() : {};
    return { ...has, h: view && this.digest(view), latency_ms: clock.latency, offset_ms: clock.offset, now: this.fight.now() };
  }

  stop() {}
}

/** docs/examples/client.py, in a process of its own: see host.py. */
export class InPython {
  static of = ["view.py", "client.py"];
  events = [];
  now = 0;
  #answers = [];

  constructor(view, client) {
    this.child = spawn(process.env.PYTHON ?? "python3", [fileURLToPath(new URL("host.py", import.meta.url))], { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.child.stdout }).on("line", (line) => this.#answers.shift().resolve(JSON.parse(line)));
    this.child.on("close", (code) => this.#answers.splice(0).forEach(({ reject }) => reject(new Error(`the host of client.py ended with ${code}`))));
    this.#command({ op: "load", view, client });
  }

  async #command(command) {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
    const { now, events, state } = await new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
    this.now = now;
    this.events.push(...events);
    const crashed = events.find(({ crashed }) => crashed !== undefined);
    if (crashed) throw new Error(crashed.crashed);
    return state;
  }

  connect(session, tickets) {
    this.events = [];
    return this.#command({ op: "connect", session, tickets });
  }

  accept() {
    return this.#command({ op: "accept" });
  }

  say(text) {
    return this.#command({ op: "say", text });
  }

  end(code) {
    return this.#command({ op: "end", code });
  }

  do(verb, order = {}) {
    return this.#command({ op: "do", verb, order });
  }

  pass(ms) {
    return this.events.length > 0 ? Promise.resolve() : this.#command({ op: "pass", ms });
  }

  state() {
    return this.#command({ op: "state" });
  }

  stop() {
    this.child.stdin.end();
  }
}
