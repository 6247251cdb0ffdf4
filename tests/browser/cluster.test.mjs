// The README's cluster, in a real browser: the arena at one node, that node killed on the cluster's own page, and the fight, which goes on at
// another in the same page. Waits for what happens; every wait has a bound.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";

import { WAIT_MS, binary, launch, shotsFolder, visitor } from "./support.mjs";

const TEST_MS = 180_000;
/** For a while after a node has come nobody is taken for dead. */
const CALM_MS = 5_000;

/** `tiltyard cluster`, on free ports, and where its page is. */
class Cluster {
  #process;
  #said = [];

  static async start() {
    const cluster = new Cluster();
    const child = spawn(binary, ["cluster", "3", "--listen", "127.0.0.1:0", "--no-restart"], { stdio: ["ignore", "pipe", "pipe"] });
    cluster.#process = child;
    const hear = (line) => cluster.#said.push(line);
    createInterface({ input: child.stderr }).on("line", hear);
    cluster.page = await new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`the cluster ${why}\n${cluster.said}`));
      const timer = setTimeout(() => fail("did not say where it is"), WAIT_MS);
      child.on("error", (error) => fail(error.message));
      child.on("exit", (code) => fail(`ended with code ${code}`));
      createInterface({ input: child.stdout }).on("line", (line) => {
        hear(line);
        const page = line.match(/meanwhile: (\S+)/);
        if (page) {
          clearTimeout(timer);
          resolve(page[1]);
        }
      });
    });
    return cluster;
  }

  get said() {
    return this.#said.join("\n");
  }

  async stop() {
    const child = this.#process;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    }
  }
}

const state = (page) =>
  page.evaluate(() => {
    const { session, slot, q, drift, snapshots, view, link } = window.tiltyard.game;
    return { session, q, drift, snapshots, slot, link, hp: view.participants.map(({ hp, armor, shield }) => hp + armor + shield), mark: window.mark };
  });

describe("a cluster on one machine", { timeout: TEST_MS }, () => {
  let cluster;
  let browser;
  let shots;
  let watcher;
  let riders;

  before(async () => {
    shots = await shotsFolder();
    [cluster, browser] = await Promise.all([Cluster.start(), launch()]);
  });
  after(async () => {
    await browser?.close();
    await cluster?.stop();
  });

  /** Who was killed refuses connections, of which the browser tells; nothing else is wrong. */
  async function noOtherComplaints() {
    for (const page of [...riders, watcher]) {
      const others = page.complaints.filter((complaint) => !/ERR_CONNECTION_REFUSED|WebSocket connection|503/.test(complaint));
      assert.deepEqual(others, []);
      assert.deepEqual(await page.evaluate(() => window.violations), []);
    }
  }

  test("a fight goes on when the node that has it is killed", async () => {
    const begun = Date.now();
    watcher = await visitor(browser, cluster.page);
    await watcher.locator(".node[data-phase=alive]").nth(2).waitFor();
    // The arena of the first node, opened as the page says.
    const arena = await watcher.locator("#node-one .open").getAttribute("href");
    riders = [await visitor(browser, arena), await visitor(browser, arena)];
    const [first, second] = riders;
    for (const page of riders) {
      await until(page, () => window.tiltyard?.ready);
      await page.locator("#duel").click();
      await until(page, () => window.tiltyard.game.live);
      await page.evaluate(() => (window.mark = "the same page"));
    }
    await until(first, () => window.tiltyard.game.full);
    const fight = await state(first);
    await first.getByRole("button", { name: "Ready" }).click();
    await second.getByRole("button", { name: "Ready" }).click();
    for (const page of riders) {
      await until(page, () => window.tiltyard.game.phase === "active");
    }
    await watcher.locator(`tr[data-session="${fight.session}"][data-node=one]`).waitFor();
    const whole = await state(first);
    await strike(first);
    await first.waitForTimeout(Math.max(0, begun + CALM_MS - Date.now()));
    const before = await state(first);
    assert.ok(before.hp[1 - before.slot] < whole.hp[1 - before.slot], `the other was hit: ${before.hp}`);
    await first.screenshot({ path: join(shots, "cluster-arena-before.png") });
    await watcher.screenshot({ path: join(shots, "cluster-before.png") });

    const killed = Date.now();
    await watcher.getByRole("button", { name: "kill -9: node one" }).click();
    await watcher.locator(".node[data-phase=gone]#node-one").waitFor();
    await until(first, () => !window.tiltyard.game.live);
    await first.screenshot({ path: join(shots, "cluster-arena-meanwhile.png") });
    for (const page of riders) {
      await until(page, () => window.tiltyard.game.live);
    }
    const back = Date.now() - killed;
    await strike(first);
    const now = await state(first);
    console.log(`# live again ${back} ms after the kill`);
    assert.deepEqual([now.session, now.slot, now.mark, now.drift], [before.session, before.slot, "the same page", 0]);
    assert.ok(now.q > before.q, `${now.q} after ${before.q}`);
    assert.ok(now.hp.every((hp, slot) => hp <= before.hp[slot]) && sum(now.hp) < sum(before.hp), `${now.hp} after ${before.hp}`);
    assert.ok(back < 15_000, `${back} ms`);
    await watcher.locator("#trials .done strong").waitFor();
    const trial = await watcher.locator("#trials").innerText();
    assert.match(trial, /kill -9 of one, which had 1 fight: it lives at (two|three), after [\d.]+ s/);
    await watcher.locator(`tr[data-session="${fight.session}"]:not([data-node=one])`).waitFor();
    await first.screenshot({ path: join(shots, "cluster-arena-after.png") });
    await watcher.screenshot({ path: join(shots, "cluster-after.png") });
    console.log(`# ${trial}\n# pictures are in ${shots}`);
    await noOtherComplaints();
  });

  test("it goes on when the next one is stopped where it is, and stays when that goes on", async () => {
    const [first] = riders;
    const before = await state(first);
    const row = watcher.locator(`tr[data-session="${before.session}"]`);
    const owner = await row.getAttribute("data-node");
    const stopped = Date.now();
    await watcher.getByRole("button", { name: `SIGSTOP: node ${owner}` }).click();
    await watcher.locator(`tr[data-session="${before.session}"]:not([data-node=${owner}])`).waitFor();
    // Where its connection is to the stopped one, the page finds out by itself that nobody answers.
    await strike(first);
    console.log(`# a strike has hit ${Date.now() - stopped} ms after SIGSTOP`);
    const other = await row.getAttribute("data-node");
    await watcher.getByRole("button", { name: `Go on: node ${owner}` }).click();
    await watcher.locator(`#node-${owner}[data-phase=alive]:not(.unwell)`).waitFor();
    await strike(first);
    assert.equal(await row.getAttribute("data-node"), other);
    const now = await state(first);
    assert.deepEqual([now.session, now.slot, now.mark, now.drift], [before.session, before.slot, "the same page", 0]);
    assert.ok(now.q > before.q && sum(now.hp) < sum(before.hp));
    await noOtherComplaints();
  });
});

const until = (page, condition, argument) => page.waitForFunction(condition, argument, { timeout: WAIT_MS });

const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

/** Strikes until the other has fewer points than before, and sees that in the view. */
async function strike(page) {
  const { hp, slot } = await state(page);
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const now = await state(page);
    if (now.hp[1 - slot] < hp[1 - slot]) {
      return;
    }
    assert.ok(Date.now() < deadline, `no strike has hit: ${JSON.stringify(now)}`);
    await page.keyboard.press("Space");
    await page.waitForTimeout(100);
  }
}
