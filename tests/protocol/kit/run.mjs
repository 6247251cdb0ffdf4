// Runs a case of the conformance kit (protocol/kit) with a client of docs/examples, in JSON.

import assert from "node:assert/strict";

const AHEAD_MS = 1_764_000_000_000;
const PING_MAX_MS = 60_000;

/** Whether `value` has everything that `wanted` names. */
function fits(value, wanted) {
  if (Array.isArray(wanted)) {
    return Array.isArray(value) && value.length === wanted.length && wanted.every((item, place) => fits(value[place], item));
  }
  if (typeof wanted === "object" && wanted !== null) {
    return typeof value === "object" && value !== null && Object.entries(wanted).every(([key, item]) => fits(value[key], item));
  }
  return value === wanted;
}

class Run {
  /** Connections that were opened and that the case has not dealt with, and what was said and told and no step has taken. */
  #dialed = [];
  #said = [];
  #told = [];
  #pings = [];
  #tickets = new Set();
  #isOpen = false;
  #isClosedByClient = false;
  #isSilent = false;
  #isClosing = false;

  constructor(kit, rules, host) {
    Object.assign(this, { kit, rules, host });
  }

  async play() {
    for (const [place, step] of this.kit.steps.entries()) {
      try {
        await this.#take(step);
        await this.#hear();
      } catch (error) {
        throw new Error(`step ${place}, ${JSON.stringify(step).slice(0, 300)}: ${error.message}`, { cause: error });
      }
    }
    await this.#quiet(0);
    assert.deepEqual(this.#told, [], "at the end more was told");
  }

  async #take(step) {
    if (step.do !== undefined) await this.#do(step);
    else if (step.dials !== undefined) await this.#dials(step.dials, step.refused);
    else if (step.client !== undefined) await this.#client(step.client, step);
    else if (step.server !== undefined) await this.host.say(JSON.stringify(this.#filled(step.server)));
    else if (step.server_closes !== undefined) await this.#ends(step.server_closes);
    else if (step.client_closes !== undefined) await this.#within(step.client_closes, () => this.#isClosedByClient, "closes the connection");
    else if (step.wait !== undefined) await this.#pass(step.wait);
    else if (step.quiet !== undefined) await this.#quiet(step.quiet);
    else if (step.silence) this.#isSilent = true;
    else if (step.pong !== undefined) await this.#pong(step.pong);
    else if (step.holds !== undefined) await this.#holds(step.holds);
    else if (step.told !== undefined) this.#tells(step.told);
    else assert.fail("an unknown step");
  }

  async #do({ do: verb, session, order }) {
    if (verb === "connect") return this.host.connect(session, this.kit.tickets ?? []);
    this.#isClosing ||= verb === "close";
    return this.host.do(verb, order);
  }

  /** Looks at what has happened, and answers pings. */
  async #hear() {
    while (this.host.events.length > 0) {
      for (const event of this.host.events.splice(0)) {
        if (event.dials !== undefined) this.#dialed.push(event);
        else if (event.closes) this.#isClosedByClient = true;
        else if (event.told !== undefined) this.#told.push({ t: event.told, d: event.d });
        else await this.#heard(JSON.parse(event.said), event.at);
      }
    }
  }

  async #heard(message, at) {
    if (message.t !== "ping") {
      if (!(this.#isClosing && message.t === "leave")) this.#said.push(message);
    } else if (this.kit.pings === "script") {
      this.#pings.push({ message, at });
    } else if (!this.#isSilent && this.#isOpen && !this.#isClosedByClient) {
      await this.host.say(JSON.stringify({ t: "pong", d: { n: message.d.n, time: this.#serverTime() } }));
    }
  }

  async #dials(range, refused) {
    await this.#within(range, () => this.#dialed.length > 0, "opens a connection");
    assert.equal(this.#dialed.length, 1, "one connection and no more");
    const [{ dials: url, asked }] = this.#dialed.splice(0);
    assert.ok(!this.#tickets.has(url), "a ticket admits once");
    this.#tickets.add(url);
    assert.equal(asked, "tiltyard.v2.json");
    this.#said = [];
    this.#isSilent = this.#isClosedByClient = false;
    this.#isOpen = refused === undefined;
    await (this.#isOpen ? this.host.accept() : this.host.end(refused));
  }

  async #ends(code) {
    this.#isOpen = false;
    await this.host.end(code);
  }

  async #client(wanted, { lacks = [], has_one_of: oneOf, within = [0, 0] }) {
    await this.#within(within, () => this.#said.length > 0, `says ${wanted.t}`);
    const said = this.#said.shift();
    assert.ok(fits(said, wanted), `said ${JSON.stringify(said)}`);
    assert.deepEqual(lacks.filter((field) => field in said.d), [], `said ${JSON.stringify(said)}`);
    assert.ok(oneOf === undefined || oneOf.filter((field) => field in said.d).length === 1, `said ${JSON.stringify(said)}`);
  }

  /** A message with what its placeholders stand for. */
  #filled({ t, d }) {
    const filled = structuredClone(d);
    if (filled.rules === "$rules") filled.rules = this.rules;
    for (const [field, value] of Object.entries(filled)) {
      const later = typeof value === "string" ? /^\$time(?:\+(\d+))?$/.exec(value) : null;
      if (later) filled[field] = this.#serverTime() + Number(later[1] ?? 0);
    }
    return { t, d: filled };
  }

  #serverTime(at = this.host.now) {
    return Math.round(at + (this.kit.ahead_ms ?? AHEAD_MS));
  }

  async #pass(ms, done = () => false) {
    const end = this.host.now + ms;
    await this.#hear();
    while (!done() && this.host.now < end) {
      await this.host.pass(end - this.host.now);
      await this.#hear();
    }
    return done();
  }

  async #within([least, most], done, what) {
    const from = this.host.now;
    assert.ok(await this.#pass(most, done), `${what} within ${most} ms`);
    const passed = this.host.now - from;
    assert.ok(passed >= least, `${what} after ${passed} ms, which is sooner than ${least}`);
  }

  async #quiet(ms) {
    await this.#pass(ms, () => this.#dialed.length > 0 || this.#said.length > 0);
    assert.deepEqual(this.#dialed, [], "no other connection is opened");
    assert.deepEqual(this.#said, [], "nothing else is said");
  }

  async #pong({ there_ms: there, back_ms: back }) {
    this.#pings = [];
    await this.#within([0, PING_MAX_MS], () => this.#pings.length > 0, "pings");
    const [{ message, at }] = this.#pings;
    await this.#pass(there + back);
    await this.host.say(JSON.stringify({ t: "pong", d: { n: message.d.n, time: this.#serverTime(at + there) } }));
  }

  async #holds({ status, latency_ms, offset_ms, now, ...wanted }) {
    const has = await this.host.state();
    if (status !== undefined) assert.ok([status].flat().includes(has.status), `the status is ${has.status}`);
    for (const [key, range] of Object.entries({ latency_ms, offset_ms, now })) {
      if (range !== undefined) assert.ok(has[key] >= range[0] && has[key] <= range[1], `${key} is ${has[key]}, not ${range[0]} to ${range[1]}`);
    }
    for (const [key, value] of Object.entries(wanted)) {
      assert.ok(key in has, `nothing is known of ${key}`);
      assert.deepEqual(has[key], value, key);
    }
  }

  /** Each once, in this order, and nothing else. */
  #tells(told) {
    const heard = this.#told.splice(0);
    assert.deepEqual(heard.map(({ t }) => t), told.map(({ t }) => t), "what was told");
    told.forEach(({ t, d = {} }, place) => assert.ok(fits(heard[place].d, d), `was told ${t} ${JSON.stringify(heard[place].d)}`));
  }
}

/** Plays one case; throws where the client does not do what it says. */
export function play(kit, rules, host) {
  return new Run(kit, rules, host).play();
}
