// Custom and player sessions against the real server.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { Connection, Hub, Pulse, Room, type Codec, type RoomEvents } from "@tiltyard/client";
import { msgpack } from "@tiltyard/client/msgpack";

import { Server, WAIT_MS } from "./server.js";

const [ann, bob] = [randomUUID(), randomUUID()];

describe("the client and the server", { timeout: 3 * WAIT_MS }, () => {
  let server: Server;
  let hub: Hub;
  const tokens = new Map<string, string>();
  const open: (Room | Pulse)[] = [];

  before(async () => {
    server = await Server.start();
    hub = new Hub(server.url);
    for (const player of [ann, bob]) tokens.set(player, await server.token("--player", player));
    tokens.set("admin", await server.token("--admin"));
  });
  after(async () => {
    open.forEach((one) => one.close());
    await server.stop();
  });

  async function ask(method: string, path: string, body?: object): Promise<{ session_id: string }> {
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const headers = { authorization: `Bearer ${tokens.get("admin")}`, "content-type": type };
    const answer = await fetch(server.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return answer.status === 204 ? { session_id: "" } : ((await answer.json()) as { session_id: string });
  }

  const connection = (player: string, session: string, codec?: Codec) =>
    new Connection({ ticket: () => hub.ticket(tokens.get(player) ?? "", session), ...(codec && { codec }) });

  function enter(player: string, session: string, codec?: Codec): Room {
    const room = new Room(session, connection(player, session, codec));
    open.push(room);
    return room;
  }

  /** The next `name` that is `wanted`. */
  const next = <Name extends keyof RoomEvents>(room: Room, name: Name, wanted: (told: RoomEvents[Name]) => boolean = () => true) =>
    new Promise<RoomEvents[Name]>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${name} came`)), WAIT_MS);
      const off = room.on(name, (told) => {
        if (wanted(told)) {
          clearTimeout(timer);
          off();
          resolve(told);
        }
      });
    });

  test("two members share a state and talk, one of each encoding", async () => {
    const { session_id: session } = await ask("POST", "/sessions", { type: "custom", player_id: ann });
    await ask("POST", `/sessions/${session}/members`, { player_id: bob });
    const one = enter(ann, session);
    await next(one, "joined");
    const came = next(one, "presence");
    const other = enter(bob, session, msgpack);
    await next(other, "joined");
    assert.deepEqual([(await came).player, (await came).why, one.here.length, other.members.length], [bob, "joined", 2, 2]);

    const [shown, before] = [next(other, "state"), one.version];
    assert.deepEqual(await one.patch({ map: "hill", votes: 1 }), { kind: "ack", version: before + 1 });
    assert.equal((await shown).by, ann);
    const late = await other.patch({ votes: null }, before);
    assert.ok(late.kind === "refused" && late.reason === "version_conflict" && late.version === before + 1, JSON.stringify(late));
    const byRest = [next(one, "state"), next(other, "state")];
    await ask("PATCH", `/sessions/${session}/state`, { votes: null, rest: true });
    await Promise.all(byRest);
    for (const room of [one, other]) assert.deepEqual([room.state, room.version], [{ map: "hill", rest: true }, before + 2]);

    const heard = [next(other, "relayed"), next(one, "relayed")];
    assert.deepEqual(await one.relay({ wave: true }), { kind: "ack", to: 1 });
    assert.deepEqual(await other.relay("psst", ann), { kind: "ack", to: 1 });
    assert.deepEqual((await Promise.all(heard)).map(({ from, data }) => [from, data]), [[ann, { wave: true }], [bob, "psst"]]);
    const nobody = await one.relay(1, randomUUID());
    assert.equal(nobody.kind === "refused" && nobody.reason, "not_here");

    const [gone, out] = [next(one, "presence"), next(other, "closed")];
    other.leave();
    assert.deepEqual([(await gone).why, (await out).code], ["left", 1000]);
    const again = next(one, "presence");
    other.reopen();
    assert.equal((await again).why, "returned");
    const ends = [next(one, "closed"), next(other, "closed")];
    await ask("DELETE", `/sessions/${session}`);
    assert.deepEqual((await Promise.all(ends)).map(({ code }) => code), [4410, 4410]);
  });

  test("a player's presence lasts for as long as it is said", async () => {
    const { session_id: session } = await ask("POST", "/sessions", { type: "player", player_id: ann });
    const pulse = new Pulse(session, connection(ann, session));
    open.push(pulse);
    const first = await new Promise<number>((resolve) => pulse.on("beat", ({ expiresAt }) => resolve(expiresAt)));
    assert.ok(first > Date.now());
    const reply = await pulse.beat();
    assert.ok(reply.kind === "ack" && reply.expires_at >= first, JSON.stringify(reply));
    assert.equal(pulse.expiresAt, reply.expires_at);
  });
});
