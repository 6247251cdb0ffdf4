// The client against the real server: the README's fight, a server that dies under a fight, and a player in two places.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Hub, HubError, connect, joinToo, json, type Fight, type FightEvents, type Guest, type Seat, type Socket } from "@tiltyard/client";
import { msgpack } from "@tiltyard/client/msgpack";

import { Server, WAIT_MS } from "./server.js";

const example = new URL("../examples/fight.mjs", import.meta.url);
const node = ["--experimental-websocket", "--disable-warning=ExperimentalWarning"];

/** The next of these that `fight` tells and that is `wanted`. */
function next<Name extends keyof FightEvents>(
  fight: Fight,
  name: Name | Name[],
  wanted: (value: FightEvents[Name]) => boolean = () => true,
): Promise<FightEvents[Name]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${String(name)} came; the status is ${fight.status}`)), WAIT_MS);
    const off = [name].flat().map((one) =>
      fight.on(one as Name, (value) => {
        if (wanted(value)) {
          clearTimeout(timer);
          off.forEach((end) => end());
          resolve(value);
        }
      }),
    );
  });
}

/** Until `fight` has got that far. */
async function until(fight: Fight, done: (fight: Fight) => boolean): Promise<void> {
  if (!done(fight)) {
    await next(fight, ["snapshot", "delta", "status"], () => done(fight));
  }
}

describe("the client and the server", { timeout: 3 * WAIT_MS }, () => {
  let server: Server;
  let hub: Hub;
  const open: Fight[] = [];

  before(async () => {
    server = await Server.start();
    hub = new Hub(server.url);
  });
  after(async () => {
    open.forEach((fight) => fight.close());
    await server.stop();
  });

  function play(guest: Guest, seat: Seat, codec = json): Fight {
    const fight = hub.play(guest, seat, { codec });
    open.push(fight);
    fight.on("drift", (drift) => assert.fail(`drifted: ${drift.message}`));
    return fight;
  }

  /** Two players in one duel that has begun, one of each encoding. */
  async function duel(): Promise<[Fight, Fight]> {
    const [ann, bob] = [await hub.guest(), await hub.guest()];
    const seats = [await hub.seat(ann.token, { kind: "duel" }), await hub.seat(bob.token, { kind: "duel" })] as const;
    assert.equal(seats[0].session_id, seats[1].session_id);
    const fights: [Fight, Fight] = [play(ann, seats[0]), play(bob, seats[1], msgpack)];
    for (const fight of fights) {
      fight.ready();
    }
    await Promise.all(fights.map((fight) => until(fight, ({ view }) => view?.phase.phase === "active")));
    return fights;
  }

  test("the README's fight is fought to its end", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const program = await readFile(example, "utf8");
    assert.ok(readme.includes(program), "the README shows the program that runs here");
    assert.ok(program.trimEnd().split("\n").length < 40);
    const outcomes = [0, 1].map(async () => {
      const child = spawn(process.execPath, [...node, fileURLToPath(example), server.url], { stdio: ["ignore", "pipe", "pipe"] });
      const timer = setTimeout(() => child.kill(), WAIT_MS);
      let said = "";
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (said += text));
      const code = await new Promise((resolve) => child.once("close", resolve));
      clearTimeout(timer);
      assert.equal(code, 0, said);
      assert.match(said, /hits/);
      return said.trimEnd().split("\n").findLast((line) => line === "won" || line === "lost");
    });
    assert.deepEqual((await Promise.all(outcomes)).sort(), ["lost", "won"]);
  });

  test("what it is told holds: rules, timers, the time, and what of its own is applied", async () => {
    const [ann, bob] = await duel();
    assert.equal(ann.slot + bob.slot, 1);
    assert.notEqual(ann.team, bob.team);
    assert.equal(ann.rules?.hash, bob.rules?.hash);
    assert.ok((ann.timers.seat_ms ?? 0) > 0 && (ann.timers.idle_ms ?? 0) > 0, JSON.stringify(ann.timers));
    const guard = bob.defend();
    const answer = await guard.answer;
    assert.equal(answer.kind, "ack", JSON.stringify(answer));
    await until(bob, ({ applied }) => applied === guard.id);
    await until(ann, ({ seq }) => answer.kind === "ack" && (seq ?? 0) >= answer.q);
    assert.equal(ann.applied, 0, "what another has done is not one's own");
    assert.ok(ann.now() >= ann.at);
    const offset = ann.connection.clock.offset ?? NaN;
    assert.ok(Math.abs(performance.now() + offset - Date.now()) < 5_000, `the server's clock is the machine's: ${offset}`);
    const me = ann.place(ann.slot) ?? assert.fail("one sees oneself");
    const far = await ann.move(me.x + 100_000, me.y).answer;
    assert.equal(far.kind, "refused");
    assert.deepEqual(ann.place(ann.slot), me, "what was refused did not happen");
    const result = next(ann, "result");
    bob.concede();
    assert.equal((await result).winner, ann.slot);
    assert.equal((await ann.over)?.winner, ann.slot);
  });

  test("a fight outlives its server, and every action is answered once", async () => {
    const [ann, bob] = await duel();
    await ann.defend().answer;
    const answers: number[] = [];
    for (const name of ["ack", "refused", "forgotten"] as const) {
      ann.on(name, ({ id }) => answers.push(id));
    }
    const [seq, epoch, hash] = [ann.seq ?? 0, ann.epoch ?? 0, ann.rules?.hash];
    const lost = [ann, bob].map((fight) => next(fight, "status", (status) => status === "waiting"));
    const pending = [ann.attack(bob.slot), ann.attack(bob.slot), ann.attack(bob.slot)];
    await server.kill();
    await Promise.all(lost);
    const back = [ann, bob].map((fight) => next(fight, "snapshot"));
    await server.restart();
    await Promise.all(back);
    const kinds = (await Promise.all(pending.map(({ answer }) => answer))).map(({ kind }) => kind);
    assert.ok(kinds.every((kind) => kind === "ack" || kind === "refused"), kinds.join(", "));
    assert.deepEqual(answers.toSorted((one, other) => one - other), pending.map(({ id }) => id), "each once");
    assert.ok((ann.seq ?? 0) >= seq && (ann.epoch ?? 0) > epoch);
    assert.equal(ann.rules?.hash, hash, "the rules are still there, though they were not sent again");
    assert.deepEqual([ann.status, bob.status], ["live", "live"]);
    const result = next(bob, "result");
    ann.concede();
    assert.equal((await result).winner, bob.slot);
  });

  test("a fight whose connection is lost is gone on from by deltas", async () => {
    const [guest, other] = [await hub.guest(), await hub.guest()];
    const sockets: Socket[] = [];
    const socket = (url: string, protocol: string) => {
      const opened = new WebSocket(url, protocol) as unknown as Socket;
      sockets.push(opened);
      return opened;
    };
    const fight = hub.play(guest, await hub.seat(guest.token, { kind: "brawl" }), { env: { socket } });
    open.push(fight);
    fight.on("drift", (drift) => assert.fail(`drifted: ${drift.message}`));
    await until(fight, ({ status }) => status === "live");
    const told: string[] = [];
    fight.on("snapshot", () => told.push("snapshot"));
    fight.on("event", ({ k }) => told.push(k));
    const joined = next(fight, "joined");
    // As the network would: nobody says goodbye.
    sockets[0]?.onclose?.({ code: 1006 });
    sockets[0]?.close();
    await hub.seat(other.token, { kind: "brawl" });
    assert.equal((await joined).resume, "deltas");
    await until(fight, () => told.includes("seated"));
    assert.ok(!told.includes("snapshot"), told.join(", "));
    assert.deepEqual([fight.view?.participants.length, sockets.length], [2, 2]);
  });

  test("of two places the newer one has the player, and the other stays away", async () => {
    const guest = await hub.guest();
    const seat = await hub.seat(guest.token, { kind: "duel" });
    const dials = [0, 0];
    const tab = (place: 0 | 1, to: Seat) => {
      const socket = (url: string, protocol: string) => {
        dials[place] = (dials[place] ?? 0) + 1;
        return new WebSocket(url, protocol) as unknown as Socket;
      };
      const fight = hub.play(guest, to, { env: { socket } });
      open.push(fight);
      return fight;
    };
    const first = tab(0, seat);
    await until(first, ({ status }) => status === "live");
    const gone = next(first, "closed");
    const second = tab(1, { ...seat, ...(await hub.ticket(guest.token, seat.session_id)) });
    await until(second, ({ status }) => status === "live");
    assert.equal((await gone).code, 4409);
    assert.equal(first.status, "closed");
    assert.deepEqual([second.status, dials], ["live", [1, 1]]);
    second.close();
    assert.equal(second.status, "closed");
  });

  test("two sessions of one connection are kept apart, and both come back", async () => {
    const guest = await hub.guest();
    const seats = [await hub.seat(guest.token, { kind: "duel" }), await hub.seat(guest.token, { kind: "brawl" })] as const;
    // A ticket admits to one session alone, a token to all of its player; Node.js can send it along.
    const options = { headers: { authorization: `Bearer ${guest.token}` } };
    const socket = (url: string, protocol: string) =>
      new WebSocket(url, { protocols: [protocol], ...options } as unknown as string) as unknown as Socket;
    const url = `${server.url.replace("http", "ws")}/ws?session=${seats[0].session_id}`;
    const one = connect({ session: seats[0].session_id, ticket: () => Promise.resolve(url), env: { socket } });
    const other = joinToo(one.connection, seats[1].session_id);
    const both = [one, other];
    open.push(...both);
    await Promise.all(both.map((fight) => until(fight, ({ status }) => status === "live")));
    assert.deepEqual(both.map(({ view }) => view?.seats), [2, 4]);
    const lost = both.map((fight) => next(fight, "status", (status) => status === "waiting"));
    await server.kill();
    await Promise.all(lost);
    const back = both.map((fight) => next(fight, "snapshot"));
    await server.restart();
    await Promise.all(back);
    assert.deepEqual(both.map(({ status }) => status), ["live", "live"]);
    const left = next(other, "closed");
    other.leave();
    assert.equal((await left).code, 1000);
    assert.equal(one.status, "live");
  });

  test("rules to fight by are offered", async () => {
    const offers = await hub.offers();
    assert.ok(offers.some(({ name, title, kinds }) => name === "default" && title !== "" && kinds.includes("duel")), JSON.stringify(offers));
  });

  test("what a request is refused for is named", async () => {
    const refused = await hub.ticket("no token at all", "0192f5a8-6c1e-7d40-9b1f-0000abcd1234").catch((error: unknown) => error);
    assert.ok(refused instanceof HubError);
    assert.deepEqual([refused.status, refused.reason], [401, "unauthorized"]);
    const nobody = await new Hub("http://127.0.0.1:1").guest().catch((error: unknown) => error);
    assert.ok(nobody instanceof HubError && nobody.status === 0);
  });
});
