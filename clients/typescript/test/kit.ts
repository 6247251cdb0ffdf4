// Runs a case of the conformance kit (protocol/kit) with this client.

import assert from "node:assert/strict";

import { Connection, Fight, Pulse, Room } from "@tiltyard/client";
import type { Action, Codec, FightEvents, Json, Order, Place, PulseEvents, Reply, RoomEvents } from "@tiltyard/client";

import { World, type Line } from "./world.js";

type Range = [least: number, most: number];
type Fields = Record<string, unknown>;

interface Message {
  t: string;
  d: Fields;
}

interface Holds extends Fields {
  status?: string | string[];
  members?: string[];
  here?: string[];
  places?: { slot: number; at?: number; place: Place | null }[];
}

export interface Step {
  in?: string;
  do?: string;
  session?: string;
  as?: "custom" | "player";
  order?: Order;
  id?: number;
  merge?: Json;
  if?: number;
  data?: Json;
  to?: string;
  dials?: Range;
  refused?: number;
  client?: Message;
  lacks?: string[];
  has_one_of?: string[];
  within?: Range;
  server?: Message;
  server_closes?: number;
  client_closes?: Range;
  wait?: number;
  quiet?: number;
  silence?: true;
  pong?: { there_ms: number; back_ms: number };
  holds?: Holds;
  told?: Telling[];
}

export interface Telling {
  t: string;
  d?: Fields;
}

export interface Case {
  name: string;
  shows: string;
  needs?: string[];
  ahead_ms?: number;
  pings?: "script";
  tickets?: ("ok" | { status: number; retry_ms?: number })[];
  steps: Step[];
}

type Session = Fight | Room | Pulse;
type Names = keyof FightEvents | keyof RoomEvents | keyof PulseEvents;

export const TELLINGS: Names[] = [
  ...(["state", "relayed", "presence", "beat"] as const),
  ...(["joined", "snapshot", "delta", "event", "ack", "refused", "forgotten", "missed"] as const),
  ...(["rolled_back", "drift", "result", "left", "error", "renewed", "closed"] as const),
];
const AHEAD_MS = 1_764_000_000_000;
const PING_MAX_MS = 60_000;

/** Whether `value` has everything that `wanted` names. */
export function fits(value: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return Array.isArray(value) && value.length === wanted.length && wanted.every((item, place) => fits(value[place], item));
  }
  if (typeof wanted === "object" && wanted !== null) {
    return typeof value === "object" && value !== null && Object.entries(wanted).every(([key, item]) => fits((value as Fields)[key], item));
  }
  return value === wanted;
}

/** What is made of each thing that the client tells, for a test of the kit itself: nothing else, where the client is tried. */
export type Hearing = (told: Message) => Message[];

/** What the client has told of a session. */
class Ear {
  heard: Message[] = [];

  constructor(
    readonly session: Session,
    readonly hearing: Hearing,
  ) {
    const listen = session.on.bind(session) as (t: Names, listener: (d: unknown) => void) => void;
    for (const t of TELLINGS) {
      listen(t, (d) => this.#hear({ t, d: d as Fields }));
    }
  }

  #hear(told: Message): void {
    this.heard.push(...this.hearing(told));
  }

  /** A room's answers are promises: what they come to, as the server says it. */
  async answers(reply: Promise<Reply<object>>): Promise<void> {
    const { kind, ...told } = await reply;
    const { retryMs, ...d } = told as Fields;
    this.#hear({ t: kind === "unknown" ? "unanswered" : kind, d: { ...d, ...(retryMs !== undefined && { retry_ms: retryMs }) } });
  }
}

class Run {
  readonly #world: World;
  readonly #ears = new Map<string, Ear>();
  readonly #actions = new Map<number, Action>();
  readonly #tickets = new Set<string>();
  #minted = 0;
  #first = "";
  /** How many connections the case has dealt with. */
  #dialed = 0;
  /** How many messages and how many pings of the connection it has. */
  #read = 0;
  #silent = false;
  #closing = false;

  constructor(
    readonly kit: Case,
    readonly rules: unknown,
    codec: Codec,
    readonly hearing: Hearing,
  ) {
    this.#world = new World(codec);
  }

  async play(): Promise<void> {
    for (const [place, step] of this.kit.steps.entries()) {
      try {
        await this.#take(step);
        await this.#world.settle();
        this.#answerPings();
      } catch (error) {
        throw new Error(`step ${place}, ${JSON.stringify(step).slice(0, 300)}: ${String((error as Error).message)}`, { cause: error });
      }
    }
    await this.#quiet(0);
    for (const [session, { heard }] of this.#ears) {
      assert.deepEqual(heard.map(({ t }) => t), [], `at the end more was told of ${session}`);
    }
  }

  async #take(step: Step): Promise<void> {
    if (step.do !== undefined) {
      this.#do(step);
    } else if (step.dials !== undefined) {
      await this.#dials(step.dials, step.refused);
    } else if (step.client !== undefined) {
      await this.#client(step.client, step);
    } else if (step.server !== undefined) {
      this.#world.line.say(this.#filled(step.server));
    } else if (step.server_closes !== undefined) {
      this.#world.line.end(step.server_closes);
    } else if (step.client_closes !== undefined) {
      await this.#within(step.client_closes, () => this.#world.line.closedBy === "client", "closes the connection");
    } else if (step.wait !== undefined) {
      await this.#pass(step.wait);
    } else if (step.quiet !== undefined) {
      await this.#quiet(step.quiet);
    } else if (step.silence) {
      this.#silent = true;
    } else if (step.pong !== undefined) {
      await this.#pong(step.pong);
    } else if (step.holds !== undefined) {
      this.#holds(step.holds, this.#ear(step.in).session);
    } else if (step.told !== undefined) {
      this.#told(step.told, this.#ear(step.in));
    } else {
      assert.fail("an unknown step");
    }
  }

  #do(step: Step): void {
    switch (step.do) {
      case "connect":
        this.#first = step.session ?? "";
        return this.#listen(step, new Connection({ ticket: () => this.#ticket(), codec: this.#world.codec, env: this.#world }));
      case "join":
        return this.#listen(step, this.#ear().session.connection);
      case "act": {
        const action = this.#fight(step.in).act(step.order ?? assert.fail("nothing to do"));
        this.#actions.set(action.id, action);
        return;
      }
      case "again":
        assert.ok(this.#fight(step.in).again(this.#actions.get(step.id ?? 0) ?? assert.fail("no such action")));
        return;
      case "ready":
        return this.#fight(step.in).ready();
      case "concede":
        return this.#fight(step.in).concede();
      case "patch":
        return this.#asks(step, (room) => room.patch(step.merge ?? null, step.if));
      case "relay":
        return this.#asks(step, (room) => room.relay(step.data ?? null, step.to));
      case "beat":
        return this.#asks(step, (_, pulse) => pulse.beat());
      case "leave":
        return this.#ear(step.in).session.leave();
      case "close":
        this.#closing = true;
        return this.#ear(step.in).session.close();
      default:
        assert.fail(`nothing is known of ${step.do}`);
    }
  }

  #listen({ session = "", as }: Step, connection: Connection): void {
    const types = { custom: Room, player: Pulse, combat: Fight };
    this.#ears.set(session, new Ear(new types[as ?? "combat"](session, connection), this.hearing));
  }

  #asks({ in: session }: Step, ask: (room: Room, pulse: Pulse) => Promise<Reply<object>>): void {
    const ear = this.#ear(session);
    void ear.answers(ask(ear.session as Room, ear.session as Pulse));
  }

  #ear(session = this.#first): Ear {
    return this.#ears.get(session) ?? assert.fail(`nothing is known of ${session}`);
  }

  #fight(session?: string): Fight {
    return this.#ear(session).session as Fight;
  }

  async #ticket(): Promise<string> {
    const answer = this.kit.tickets?.[this.#minted] ?? "ok";
    this.#minted += 1;
    if (answer !== "ok") {
      throw Object.assign(new Error(`status ${answer.status}`), { status: answer.status, retryMs: answer.retry_ms });
    }
    return `ws://127.0.0.1/ws?ticket=${this.#minted}`;
  }

  async #dials([least, most]: Range, refused?: number): Promise<void> {
    await this.#within([least, most], () => this.#world.lines.length > this.#dialed, "opens a connection");
    assert.equal(this.#world.lines.length, this.#dialed + 1, "one connection and no more");
    this.#dialed += 1;
    this.#read = 0;
    this.#silent = false;
    const line = this.#world.line;
    assert.ok(!this.#tickets.has(line.url), "a ticket admits once");
    this.#tickets.add(line.url);
    assert.equal(line.asked, line.codec.subprotocol);
    if (refused === undefined) {
      line.accept();
    } else {
      line.end(refused);
    }
  }

  /** The client's messages that the case has not seen. */
  #unread(): { message: Message; at: number }[] {
    const unread = this.#dialed === 0 ? [] : this.#world.line.said.slice(this.#read);
    return (unread as { message: Message; at: number }[]).filter(
      ({ message }) => message.t !== "ping" && !(this.#closing && message.t === "leave"),
    );
  }

  async #client(wanted: Message, { lacks = [], has_one_of: oneOf, within = [0, 0] }: Step): Promise<void> {
    await this.#within(within, () => this.#unread().length > 0, `says ${wanted.t}`);
    const [next] = this.#unread();
    const said = next?.message ?? assert.fail("nothing was said");
    this.#read = (this.#world.line.said as unknown[]).indexOf(next) + 1;
    assert.ok(fits(said, wanted), `said ${JSON.stringify(said)}`);
    const not = lacks.filter((field) => field in said.d);
    assert.deepEqual(not, [], `said ${JSON.stringify(said)}`);
    assert.ok(oneOf === undefined || oneOf.filter((field) => field in said.d).length === 1, `said ${JSON.stringify(said)}`);
  }

  /** A message with what its placeholders stand for. */
  #filled({ t, d }: Message): Message {
    const filled = structuredClone(d);
    if (filled.rules === "$rules") filled.rules = structuredClone(this.rules);
    for (const [field, value] of Object.entries(filled)) {
      const later = typeof value === "string" ? /^\$time(?:\+(\d+))?$/.exec(value) : null;
      if (later) filled[field] = this.#serverTime() + Number(later[1] ?? 0);
    }
    return { t, d: filled };
  }

  #serverTime(at = this.#world.now()): number {
    return at + (this.kit.ahead_ms ?? AHEAD_MS);
  }

  #answerPings(): void {
    if (this.kit.pings === "script" || this.#silent || this.#dialed === 0) {
      return;
    }
    const { said, closedBy } = this.#world.line;
    for (const one of said as { message: Message; at: number; answered?: true }[]) {
      if (one.message.t === "ping" && !one.answered && closedBy === null) {
        one.answered = true;
        this.#world.line.say({ t: "pong", d: { n: one.message.d.n, time: this.#serverTime() } });
      }
    }
  }

  /** Lets time pass, with pings answered as they come. */
  async #pass(ms: number, done: () => boolean = () => false): Promise<boolean> {
    return this.#world.pass(ms, () => {
      this.#answerPings();
      return done();
    });
  }

  async #within([least, most]: Range, done: () => boolean, what: string): Promise<void> {
    const from = this.#world.now();
    assert.ok(await this.#pass(most, done), `${what} within ${most} ms`);
    const passed = this.#world.now() - from;
    assert.ok(passed >= least, `${what} after ${passed} ms, which is sooner than ${least}`);
  }

  async #quiet(ms: number): Promise<void> {
    await this.#pass(ms, () => this.#world.lines.length > this.#dialed || this.#unread().length > 0);
    assert.equal(this.#world.lines.length, this.#dialed, "no other connection is opened");
    assert.deepEqual(this.#unread().map(({ message }) => message), [], "nothing else is said");
  }

  async #pong({ there_ms: there, back_ms: back }: { there_ms: number; back_ms: number }): Promise<void> {
    const line: Line = this.#world.line;
    const before = line.said.length;
    const ping = () => line.said.slice(before).find(({ message }) => message.t === "ping");
    await this.#within([0, PING_MAX_MS], () => ping() !== undefined, "pings");
    const { message, at } = ping() ?? assert.fail("no ping");
    await this.#pass(there + back);
    line.say({ t: "pong", d: { n: (message.d as Fields).n, time: this.#serverTime(at + there) } });
  }

  #holds({ status, places = [], members, here, ...wanted }: Holds, session: Session): void {
    const [fight, room] = [session as Fight, session as Room];
    if (status !== undefined) {
      assert.ok([status].flat().includes(session.status), `the status is ${session.status}`);
    }
    for (const [has, list] of [[room.members, members] as const, [room.here, here] as const]) {
      if (list !== undefined) assert.deepEqual(has.toSorted(), list.toSorted());
    }
    for (const { slot, at, place } of places) {
      const drawn = fight.place(slot, at);
      assert.deepEqual(drawn && { x: Math.round(drawn.x), y: Math.round(drawn.y) }, place, `slot ${slot} at ${at}`);
    }
    const has: Record<string, () => unknown> = {
      code: () => fight.closing?.code,
      q: () => fight.seq,
      at: () => fight.at,
      epoch: () => fight.epoch,
      h: () => fight.digest,
      view: () => fight.view,
      slot: () => fight.slot,
      team: () => fight.team,
      rules: () => fight.rules?.hash,
      pending: () => fight.pending.map(({ id }) => id),
      applied: () => fight.applied,
      state: () => room.state,
      version: () => room.version,
    };
    const about: Record<string, () => number | null> = {
      latency_ms: () => fight.connection.clock.latency,
      offset_ms: () => fight.connection.clock.offset,
      now: () => fight.now(),
    };
    for (const [key, value] of Object.entries(wanted)) {
      const between = about[key]?.();
      if (between !== undefined) {
        const [least, most] = value as Range;
        assert.ok(between !== null && between >= least && between <= most, `${key} is ${between}, not ${least} to ${most}`);
      } else {
        assert.deepEqual((has[key] ?? assert.fail(`nothing is known of ${key}`))(), value, key);
      }
    }
  }

  /** Each once, in this order, and nothing else. */
  #told(told: Telling[], ear: Ear): void {
    const { heard } = ear;
    ear.heard = [];
    assert.deepEqual(heard.map(({ t }) => t), told.map(({ t }) => t), "what was told");
    told.forEach(({ t, d = {} }, place) => assert.ok(fits(heard[place]?.d, d), `was told ${t} ${JSON.stringify(heard[place]?.d)}`));
  }
}

/** Plays one case; throws where the client does not do what it says. */
export function play(kit: Case, rules: unknown, codec: Codec, hearing: Hearing = (told) => [told]): Promise<void> {
  return new Run(kit, rules, codec, hearing).play();
}
