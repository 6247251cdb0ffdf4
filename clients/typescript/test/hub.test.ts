// Which node of a cluster is asked.

import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, describe, test } from "node:test";

import { Hub, HubError } from "@tiltyard/client";

const open: Server[] = [];

/** A node that says its name as a guest's id, and where else the cluster is; `status` is what it answers with. */
async function node(name: string, others: string[] = [], status = 200): Promise<{ url: string; asked: string[]; stop: () => Promise<void> }> {
  const asked: string[] = [];
  const server = createServer(({ url }, response) => {
    asked.push(url ?? "");
    const answer = url === "/health" ? { cluster: { also_at: others } } : { token: "t", player_id: name };
    response.writeHead(status, { "content-type": "application/json", connection: "close" }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(server);
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked, stop: () => new Promise((resolve) => server.close(() => resolve())) };
}

const who = async (hub: Hub): Promise<string> => (await hub.guest()).player_id;

describe("a hub of several nodes", () => {
  after(() => open.forEach((server) => server.close()));

  test("asks the next when one cannot be reached, and stays there", async () => {
    const [one, two] = [await node("one"), await node("two")];
    const hub = new Hub([`${one.url}/`, two.url]);
    assert.equal(await who(hub), "one");
    assert.deepEqual(two.asked, []);
    await one.stop();
    assert.equal(await who(hub), "two");
    assert.equal(hub.base, two.url);
    assert.deepEqual(two.asked, ["/guest"]);
    await two.stop();
    const error = await hub.guest().catch((refused: unknown) => refused);
    assert.ok(error instanceof HubError && error.status === 0, "each was asked once");
  });

  test("learns of the others from the one it knows", async () => {
    const two = await node("two");
    const one = await node("one", [`${two.url}/`]);
    const hub = new Hub(one.url);
    assert.deepEqual(await hub.discover(), [two.url]);
    assert.deepEqual(await hub.discover(), [two.url]);
    await one.stop();
    assert.equal(await who(hub), "two");
  });

  test("takes a refusal for an answer", async () => {
    const [one, two] = [await node("one", [], 403), await node("two")];
    const error = await new Hub([one.url, two.url]).guest().catch((refused: unknown) => refused);
    assert.ok(error instanceof HubError && error.status === 403);
    assert.deepEqual(two.asked, []);
  });

  test("is nowhere else where it is alone", async () => {
    const alone = await node("alone");
    assert.deepEqual(await new Hub(alone.url).discover(), []);
    assert.throws(() => new Hub([]));
  });
});
