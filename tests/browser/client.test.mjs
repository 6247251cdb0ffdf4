// The TypeScript client in a real browser, as a page without any build step has it: its modules as the server serves them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Server, WAIT_MS, launch, noComplaints, visitor } from "./support.mjs";

let server;
let browser;

before(async () => {
  server = await Server.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

test("two guests of one page fight until one concedes", { timeout: WAIT_MS }, async () => {
  const page = await visitor(browser, server.url);
  const told = await page.evaluate(async () => {
    const { Hub } = await import("/client/index.js");
    const hub = new Hub(location.origin);
    const drifts = [];
    const enter = async () => {
      const guest = await hub.guest();
      const fight = hub.play(guest, await hub.seat(guest.token, { kind: "duel" }));
      fight.on("drift", (drift) => drifts.push(drift.message));
      fight.ready();
      return fight;
    };
    const [ann, bob] = [await enter(), await enter()];
    const begun = (fight) => new Promise((resolve) => fight.on("delta", () => fight.view.phase.phase === "active" && resolve()));
    await Promise.all([begun(ann), begun(bob)]);
    const guarded = await bob.defend().answer;
    ann.concede();
    const results = await Promise.all([ann.over, bob.over]);
    return { drifts, guarded: guarded.kind, winners: results.map((result) => result.winner), bob: bob.slot };
  });
  assert.deepEqual(told, { drifts: [], guarded: "ack", winners: [told.bob, told.bob], bob: told.bob });
  await noComplaints([page]);
});
