// Reads and tries the API on its page, in a real browser against the real server: the whole document is shown, nothing is
// loaded from elsewhere, and a request can be sent as nobody, as a guest and with a token.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Server, launch, noComplaints, shotsFolder, visitor } from "./support.mjs";

const TEST_MS = 300_000;

describe("the page of the API", () => {
  let browser;
  let server;
  let shots;

  before(async () => {
    shots = await shotsFolder();
    server = await Server.start();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** A click that does not wait until the page stands still, which takes most of a second where much is open. */
  const click = (button) => button.dispatchEvent("click");

  /** Opens an operation, sends what is prefilled, and returns the answer's status and body. */
  async function tryOut(page, id, fill = async () => {}) {
    const block = page.locator(`[id$="-${id}"].opblock`);
    if (!(await block.evaluate(({ classList }) => classList.contains("is-open")))) {
      await click(block.locator(".opblock-summary-control"));
    }
    const execute = block.getByRole("button", { name: "Execute" });
    await execute.waitFor();
    await fill(block);
    const clear = block.getByRole("button", { name: "Clear" });
    if (await clear.count()) {
      await click(clear);
    }
    await click(execute);
    const status = block.locator(".live-responses-table tbody .response-col_status").first();
    await status.waitFor();
    const text = await block.locator(".live-responses-table").textContent();
    return { block, text, status: Number.parseInt(await status.textContent(), 10) };
  }

  async function useToken(page, token) {
    await page.getByLabel("Bearer token").fill(token);
    await page.getByRole("button", { name: "Use", exact: true }).click();
    await page.getByText("Requests carry this token.").waitFor();
  }

  test("shows every operation and sends requests to its own server only", { timeout: TEST_MS }, async () => {
    const page = await visitor(browser, `${server.url}/docs`);
    const elsewhere = [];
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== server.url) {
        elsewhere.push(request.url());
      }
    });
    const document = await (await fetch(`${server.url}/openapi.json`)).json();
    const ids = Object.values(document.paths).flatMap((item) =>
      Object.values(item).flatMap(({ operationId }) => operationId ?? []),
    );
    await page.locator(".opblock").nth(ids.length - 1).waitFor();
    const shown = await page.locator(".opblock").evaluateAll((blocks) => blocks.map((block) => block.id.split("-").at(-1)));
    assert.deepEqual(shown.sort(), ids.sort());
    const servers = await page.locator(".servers option").allTextContents();
    assert.deepEqual(servers, [`${server.url}/api/v1/session - This server`]);
    await page.screenshot({ path: join(shots, "docs-1.png") });

    const health = await tryOut(page, "getHealth");
    assert.equal(health.status, 200);
    const sent = await health.block.locator(".request-url pre").textContent();
    assert.equal(sent.trim(), `${server.url}/api/v1/session/health`);
    await health.block.locator(".live-responses-table").scrollIntoViewIfNeeded();
    await page.screenshot({ path: join(shots, "docs-2-health.png") });
    assert.deepEqual(elsewhere, []);
    await noComplaints([page]);
    await page.context().close();
  });

  test("takes a guest's token by a click, and any other by hand", { timeout: TEST_MS }, async () => {
    const page = await visitor(browser, `${server.url}/docs/`);
    await page.locator("#operations .opblock").first().waitFor();
    await page.getByRole("button", { name: "Play as a guest" }).click();
    await page.getByText("Requests carry the token of guest").waitFor();
    const seat = await tryOut(page, "takeArenaSeat");
    assert.equal(seat.status, 200);
    await page.screenshot({ path: join(shots, "docs-3-guest.png") });

    await useToken(page, await server.token("--admin"));
    assert.equal((await tryOut(page, "getMetrics")).status, 200);
    await noComplaints([page]);
    await page.context().close();
  });

  test("every operation succeeds as it is prefilled, one after the other", { timeout: TEST_MS }, async () => {
    const page = await visitor(browser, `${server.url}/docs/`);
    await page.locator("#operations .opblock").first().waitFor();
    const tried = new Set();
    const succeeds = async (id, fill) => {
      tried.add(id);
      const { block, status, text } = await tryOut(page, id, fill);
      // The more is open the longer takes every step.
      await click(block.locator(".opblock-summary-control"));
      assert.ok((status >= 200 && status < 300) || (id === "openSocket" && status === 101), `${id}: ${status} ${text}`);
    };
    const all = async (...ids) => {
      for (const id of ids) {
        await succeeds(id);
      }
    };
    const example = (name) => (block) => block.locator(".opblock-section-request-body .examples-select-element").selectOption(name);

    await all("getHealth", "getLiveness", "getReadiness", "listRulesets", "getOpenapiJson", "getOpenapiYaml", "createGuest");
    await page.getByRole("button", { name: "Play as a guest" }).click();
    await page.getByText("Requests carry the token of guest").waitFor();
    await all("takeArenaSeat", "openSocket");

    await useToken(page, await server.token("--admin"));
    await succeeds("createSession");
    await all("listSessions", "getSession", "joinSession", "leaveSession", "getSessionState", "patchSessionState", "patchSessionState");
    await all("listSessionLogs", "updateSession", "getSession", "terminateSession");
    await succeeds("createSession", example("player"));
    await all("heartbeatSession", "updateSession");
    await succeeds("createSession", example("auth"));
    await all("refreshTokens", "refreshTokens", "revokeTokens");
    await all("createCombatSession", "createCombatSession", "listCombatSessions", "getCombatSession", "getCombatSessionState");
    await all("readyForCombat", "handOverCombatSession", "executeCombatAction", "createTicket", "openSocket", "getSession");
    await all("updateSession", "terminateSession", "getSessionAnalytics", "getMetrics");
    // It is put together and kept when the fight has ended, a moment later.
    tried.add("getCombatReplay");
    const until = Date.now() + 30_000;
    let replay = await tryOut(page, "getCombatReplay");
    while (replay.status === 404 && Date.now() < until) {
      replay = await tryOut(page, "getCombatReplay");
    }
    assert.equal(replay.status, 200, replay.text);

    const document = await (await fetch(`${server.url}/openapi.json`)).json();
    const ids = Object.values(document.paths).flatMap((item) =>
      Object.values(item).flatMap(({ operationId }) => operationId ?? []),
    );
    assert.deepEqual([...tried].sort(), ids.sort(), "every operation of the document");
    await page.screenshot({ path: join(shots, "docs-4-all.png"), fullPage: true });
    assert.deepEqual(page.complaints.filter((words) => !words.includes("404")), []);
    assert.deepEqual(await page.evaluate(() => window.violations), []);
    await page.context().close();
  });

  test("a player tries it as itself", { timeout: TEST_MS }, async () => {
    const page = await visitor(browser, `${server.url}/docs/`);
    await page.locator("#operations .opblock").first().waitFor();
    const player = "0192f5a8-6c1e-4d40-9b1f-0000abcd1234";
    // What is open already becomes about the player as well.
    await page.locator('[id$="-createCombatSession"].opblock .opblock-summary-control').click();
    await page.locator('[id$="-createCombatSession"].opblock textarea').waitFor();
    await useToken(page, await server.token("--player", player));
    const made = await tryOut(page, "createCombatSession");
    assert.equal(made.status, 201, made.text);
    assert.ok(made.text.includes(player), made.text);
    for (const id of ["createTicket", "openSocket", "readyForCombat", "executeCombatAction", "getCombatSessionState"]) {
      const { status, text } = await tryOut(page, id);
      assert.ok(status < 300, `${id}: ${status} ${text}`);
    }
    await page.screenshot({ path: join(shots, "docs-5-player.png") });
    await noComplaints([page]);
    await page.context().close();
  });

  test("says so where there are no guests", { timeout: TEST_MS }, async () => {
    const page = await visitor(browser, `${server.url}/docs/`, { noGuests: true });
    await page.locator("#operations .opblock").first().waitFor();
    await page.getByRole("button", { name: "Play as a guest" }).click();
    await page.getByText("This server admits no guests.").waitFor();
    await page.context().close();
  });
});
