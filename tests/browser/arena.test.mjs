// Plays the arena page in a real browser against the real server: by keys and by clicks, with two and with four riders,
// with bots against the server's boss and in two teams, through a reload and through the death of the server. Waits for what happens, never for time to pass; every wait has a
// bound.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Cable, Server, WAIT_MS, launch, noComplaints, shotsFolder, visitor } from "./support.mjs";

const TEST_MS = 300_000;
/** A fight through every wave up to the boss, or through three rounds. */
const LONG_MS = 600_000;
/** More than any fight takes. */
const MOVES_MAX = 80;
const PHONE = { width: 390, height: 844 };
const NARROW = { width: 360, height: 740 };

let browser;
let shots;

/** A person with a browser of their own, who can play. */
async function player(url, options = {}) {
  const page = await visitor(browser, url, options);
  await ready(page);
  return page;
}

const state = (page) =>
  page.evaluate(() => {
    const { session, slot, phase, q, drift, digests, snapshots, target, outcome, latency, view, link } = window.tiltyard.game;
    return { session, slot, phase, q, drift, digests, snapshots, target, outcome, latency, view, link };
  });

const until = (page, condition, argument, timeout = WAIT_MS) => page.waitForFunction(condition, argument, { timeout });

/** Before that the page hears neither keys nor clicks. */
const ready = (page) => until(page, () => window.tiltyard?.ready);

const live = (page) => until(page, () => window.tiltyard?.game.live);

const says = (page, words) => page.getByText(words).first().waitFor();

/** Seats these players in one new fight, each by the way it would take. */
async function seat(kind, [first, ...others]) {
  await first.locator(`#${kind}`).click();
  await live(first);
  for (const page of others) {
    await page.keyboard.press(kind === "duel" ? "1" : "2");
    await live(page);
  }
  const { session } = await state(first);
  for (const page of others) {
    assert.equal((await state(page)).session, session, "all sit in one fight");
  }
  await until(first, () => window.tiltyard.game.full);
}

/** Starts the fight before its countdown ends. */
async function start([first, ...others]) {
  await first.getByRole("button", { name: "Ready" }).click();
  for (const [i, page] of others.entries()) {
    await page.keyboard.press(i % 2 === 0 ? "r" : "Enter");
  }
  for (const page of [first, ...others]) {
    await until(page, () => window.tiltyard.game.phase === "active");
  }
}

/** Waits until this player can strike: `ready`, or cannot any more: `out` or `over`. */
async function turn(page) {
  const handle = await until(page, () => {
    const { game } = window.tiltyard;
    if (game.outcome) {
      return "over";
    }
    return game.me?.status === "eliminated" ? "out" : game.can("attack").ok && "ready";
  });
  return handle.jsonValue();
}

const strikeByKey = (page) => page.keyboard.press("Space");

/** The key of a move, as its button has it: the rules may take some. */
const keyOf = (page, kind) => page.locator(`.move[data-kind="${kind}"]`).getAttribute("aria-keyshortcuts");

const body = (page, slot) => page.locator(`.unit[data-slot="${slot}"] .unit-body`);

/** Clicks on the rival that is aimed at; where others ended that meanwhile, there is nothing left to click. */
async function strikeByClick(page) {
  const { target } = await state(page);
  try {
    await body(page, target).click({ timeout: 15_000 });
  } catch (error) {
    const now = await state(page);
    const gone = ({ status }) => status === "eliminated";
    if (!now.outcome && ![now.slot, target].some((slot) => gone(now.view.participants[slot]))) {
      throw error;
    }
  }
}

/** Fights until the player is out or the fight is over. */
async function fight(page, strike) {
  for (let move = 0; move < MOVES_MAX; move += 1) {
    if ((await turn(page)) !== "ready") {
      return;
    }
    if (move % 4 === 3) {
      await page.keyboard.press(await keyOf(page, "defend"));
    }
    await strike(page, move);
  }
  assert.fail(`no end after ${MOVES_MAX} moves`);
}

/** Plays for as long as the fight goes on: strikes whoever is near, walks to whoever is not, uses what there is. */
async function playOn(page, meanwhile = async () => {}) {
  for (let move = 0; ; move += 1) {
    const handle = await until(page, () => {
      const { game } = window.tiltyard;
      const { ok, reason } = game.can("attack");
      const far = reason === "out_of_range" || reason === "needs_target";
      return game.outcome ? "over" : game.phase === "preparation" ? !game.ready && "ready" : far ? "far" : ok && "near";
    }, undefined, LONG_MS);
    const now = await handle.jsonValue();
    if (now === "over") {
      break;
    }
    if (now === "ready") {
      await page.keyboard.press("r");
    } else if (now === "far") {
      await page.evaluate(() => {
        const { game } = window.tiltyard;
        game.walk.goTo({ x: game.rules.field.width_cm / 2, y: game.rules.field.height_cm / 2 });
      });
    }
    await strikeByKey(page);
    if (move % 7 === 3) {
      const keys = await page.locator(".move[data-ability]:visible").evaluateAll((all) => all.map((one) => one.getAttribute("aria-keyshortcuts")));
      for (const key of keys) {
        await page.keyboard.press(key);
      }
    }
    await meanwhile(move);
  }
  await until(page, () => window.tiltyard.game.outcome?.duration_ms !== undefined);
  await page.locator(".result").waitFor();
}

/** One strike each, answered and shown everywhere. */
async function exchange(pages) {
  for (const page of pages) {
    assert.equal(await turn(page), "ready");
    const { latency } = await state(page);
    await strikeByKey(page);
    await until(page, (answered) => window.tiltyard.game.latency.answered > answered, latency.answered);
  }
  await level(pages);
}

/** Waits until all pages are at the sequence of the furthest. */
async function level(pages) {
  const furthest = Math.max(...(await Promise.all(pages.map(async (page) => (await state(page)).q))));
  await Promise.all(pages.map((page) => until(page, (q) => window.tiltyard.game.q >= q, furthest)));
}

/** A view without what is every player's own affair. */
function shared(view) {
  const own = ["energy", "energy_at", "energy_rate", "charge", "ammo", "reload_at", "used"];
  const cut = (participant) => Object.fromEntries(Object.entries(participant).filter(([field]) => !own.includes(field)));
  return { ...view, participants: view.participants.map(cut) };
}

/** All pages show the same end, and none of them ever drifted or complained. */
async function sameEnd(pages) {
  for (const page of pages) {
    await until(page, () => window.tiltyard.game.outcome?.duration_ms !== undefined);
    await page.locator(".result").waitFor();
  }
  await level(pages);
  const states = await Promise.all(pages.map(state));
  const [first] = states;
  assert.equal(typeof first.outcome.winner, "number");
  for (const [i, other] of states.entries()) {
    assert.deepEqual(other.outcome, first.outcome);
    assert.deepEqual(shared(other.view), shared(first.view));
    assert.equal(other.q, first.q);
    assert.equal(other.drift, 0);
    assert.ok(other.digests > 0, "digests were compared");
    const title = other.slot === first.outcome.winner ? "Victory" : "Defeat";
    assert.equal(await pages[i].locator(".result-title").textContent(), title);
  }
}

async function leaveAll(pages) {
  await Promise.all(pages.map((page) => page.context().close()));
}

const picture = (page, name) => page.screenshot({ path: join(shots, `${name}.png`) });

before(async () => {
  shots = await shotsFolder();
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

describe("the arena", () => {
  let server;
  before(async () => {
    server = await Server.start();
  });
  after(async () => {
    await server?.stop();
  });

  test("a duel is played to its end by clicks and by keys", { timeout: TEST_MS }, async () => {
    const pages = [await player(server.url), await player(server.url, { viewport: PHONE, hasTouch: true, isMobile: true })];
    const [a, b] = pages;
    await says(a, "press 1 for a duel");
    await picture(a, "1-landing");
    await picture(b, "1-landing-phone");
    await a.locator("#duel").click();
    await live(a);
    await says(a, "Open this page in a second tab to get an opponent");
    await picture(a, "2-waiting");
    await b.locator("#duel").tap();
    await live(b);
    await until(a, () => window.tiltyard.game.full);
    await says(a, "Press R or Enter when you are ready");
    await picture(b, "3-countdown-phone");
    await start(pages);
    await says(a, /Press Space to strike .*, [A-Z] to guard, WASD to walk/);
    await Promise.all([
      fight(a, async (page, move) => {
        await strikeByClick(page);
        if (move === 2) {
          await picture(page, "4-fight");
        }
      }),
      fight(b, async (page, move) => {
        await (move % 2 === 0 ? strikeByClick : strikeByKey)(page);
        if (move === 1) {
          await picture(page, "4-fight-phone");
        }
      }),
    ]);
    await sameEnd(pages);
    const { latency } = await state(a);
    assert.ok(latency.answered > 0 && latency.p50 > 0 && latency.rtt > 0);
    await a.locator("button:enabled", { hasText: "Fight again" }).waitFor();
    await picture(a, "5-result");
    await picture(b, "5-result-phone");

    // Both ask for another: they meet again, in another fight.
    const { session } = await state(a);
    for (const page of pages) {
      await page.getByRole("button", { name: "Fight again" }).click();
      await live(page);
    }
    await until(a, () => window.tiltyard.game.full);
    const [again, other] = await Promise.all(pages.map(state));
    assert.notEqual(again.session, session);
    assert.equal(other.session, again.session);
    await noComplaints(pages);
    await leaveAll(pages);
  });

  test("four riders brawl, each at the rival of their choice", { timeout: TEST_MS }, async () => {
    const options = [{}, { viewport: NARROW }, { reducedMotion: "reduce" }, {}];
    const pages = await Promise.all(options.map((option) => player(server.url, option)));
    await seat("brawl", pages);
    await start(pages);
    const [a, narrow] = pages;
    const mine = (await state(a)).slot;
    const last = [3, 2, 1, 0].find((slot) => slot !== mine);
    const numbers = await a.locator('.plates[data-side="foes"] .plate').evaluateAll((all) => all.map(({ dataset }) => dataset.slot));
    const number = await a.locator(`.plate[data-slot="${last}"] .plate-key`).textContent();
    assert.equal(numbers.length, 3);
    await a.keyboard.press(number || "Tab");
    assert.equal((await state(a)).target, last);
    await a.keyboard.press("Tab");
    assert.notEqual((await state(a)).target, last);
    await a.locator(`.plate[data-slot="${last}"]`).click();
    assert.equal((await state(a)).target, last);
    await exchange([a, narrow]);
    await picture(a, "6-brawl");
    await picture(narrow, "6-brawl-narrow");
    assert.equal(await narrow.evaluate(() => document.documentElement.scrollWidth), NARROW.width);
    await Promise.all(pages.map((page, i) => fight(page, i % 2 === 0 ? strikeByKey : strikeByClick)));
    await sameEnd(pages);
    await picture(a, "7-brawl-result");
    await noComplaints(pages);
    await leaveAll(pages);
  });

  test("a boss is fought by a page and two bots, to the result", { timeout: LONG_MS }, async () => {
    const page = await player(server.url);
    await page.locator("#options select[name=difficulty]").selectOption("easy");
    await page.locator("#coop").click();
    await live(page);
    await says(page, /2 more tabs to get 2 more riders/);
    const bots = server.bots("coop", 2, { difficulty: "easy" });
    await bots.seated;
    await until(page, () => window.tiltyard.game.full);
    await start([page]);
    assert.equal(await page.locator('.plates[data-side="allies"] .plate').count(), 3);
    await page.locator('.unit[data-side="foe"]').first().waitFor();
    // What a stun or a blow forbids for a moment is pressed again.
    const key = await page.locator('.move[data-tone="ability"]').first().getAttribute("aria-keyshortcuts");
    const cooling = page.locator('.move[data-why="cooldown"][data-tone="ability"]').first();
    for (let tries = 0; tries < 60 && !(await cooling.isVisible()); tries += 1) {
      await page.keyboard.press(key);
      await cooling.waitFor({ timeout: 1_000 }).catch(() => {});
    }
    await cooling.waitFor();
    await picture(page, "10-boss-wave");
    await playOn(page, async (move) => {
      if (move === 20) {
        await picture(page, "11-boss-fight");
      }
    });
    const { outcome, drift, digests, view } = await state(page);
    assert.ok(["cleared", "defeated", "time_limit"].includes(outcome.reason), outcome.reason);
    assert.equal(await page.locator(".result-title").textContent(), outcome.team === 0 ? "Victory" : "Defeat");
    assert.ok(view.participants.length > 3, "enemies came");
    assert.equal(drift, 0);
    assert.ok(digests > 0);
    await picture(page, "12-boss-result");
    assert.match(await bots.done, /every digest right/);
    await noComplaints([page]);
    await leaveAll([page]);
  });

  test("five against five: a page with nine bots, to the result", { timeout: LONG_MS }, async () => {
    const page = await player(server.url);
    await page.locator("#arena").click();
    await live(page);
    const bots = server.bots("arena", 9);
    await bots.seated;
    await until(page, () => window.tiltyard.game.full);
    await start([page]);
    assert.equal(await page.locator('.plates[data-side="allies"] .plate').count(), 5);
    assert.equal(await page.locator('.plates[data-side="foes"] .plate').count(), 5);
    assert.equal(await page.locator(".unit").count(), 10);
    await page.locator(".float").first().waitFor();
    await picture(page, "13-arena");
    await until(page, () => window.tiltyard.game.view.participants.some(({ effects }) => effects.length > 0));
    await page.locator(".over-score", { hasText: "Rounds" }).waitFor();
    await playOn(page);
    const { outcome, drift, view } = await state(page);
    assert.equal(outcome.reason, "rounds_won");
    const { team } = view.participants[(await state(page)).slot];
    assert.equal(await page.locator(".result-title").textContent(), outcome.team === team ? "Victory" : "Defeat");
    assert.equal(outcome.standings.length, 10);
    assert.equal(drift, 0);
    await picture(page, "14-arena-result");
    assert.match(await bots.done, /rounds_won.*\n.*every digest right/);
    await noComplaints([page]);
    await leaveAll([page]);
  });

  test("in the fog nobody is drawn who is not seen, until they meet", { timeout: TEST_MS }, async () => {
    const pages = [await player(server.url), await player(server.url)];
    const [a, b] = pages;
    for (const page of pages) {
      await until(page, () => document.querySelectorAll("#options option[value=arena-fast]").length > 0);
      await page.locator("#options select[name=ruleset]").selectOption("arena-fast");
      await page.locator("#duel").click();
      await live(page);
    }
    await until(a, () => window.tiltyard.game.full);
    await start(pages);
    const foe = (await state(b)).slot;
    await until(a, (slot) => window.tiltyard.game.view.participants[slot].hidden, foe);
    await a.locator(`.unit[data-slot="${foe}"]`).waitFor({ state: "detached" });
    await a.locator(`.plate[data-slot="${foe}"][data-status="hidden"]`).waitFor();
    const { x, y, hp } = (await state(a)).view.participants[foe];
    assert.deepEqual([x, y, hp], [0, 0, 0], "what is hidden never came");
    await picture(a, "15-fog");
    // Ways without walls, to places that see each other.
    await a.evaluate(() => window.tiltyard.game.walk.goTo({ x: 2100, y: 1230 }));
    await b.evaluate(() => window.tiltyard.game.walk.goTo({ x: 2850, y: 1230 }));
    await a.locator(`.unit[data-slot="${foe}"]`).waitFor();
    assert.ok((await state(a)).view.participants[foe].hp > 0);
    await picture(a, "16-fog-met");
    await noComplaints(pages);
    await leaveAll(pages);
  });

  test("a page that is reloaded in mid-fight goes on", { timeout: TEST_MS }, async () => {
    const pages = [await player(server.url), await player(server.url)];
    const [a] = pages;
    await seat("duel", pages);
    await start(pages);
    await exchange(pages);
    const before = await state(a);
    await a.reload();
    await live(a);
    const now = await state(a);
    assert.equal(now.session, before.session);
    assert.equal(now.slot, before.slot);
    assert.ok(now.q >= before.q);
    assert.deepEqual(
      now.view.participants.map(({ hp }) => hp),
      before.view.participants.map(({ hp }) => hp),
    );
    await Promise.all(pages.map((page) => fight(page, strikeByKey)));
    await sameEnd(pages);
    await noComplaints(pages);

    // Another reload finds the result again, for as long as the server keeps it.
    await a.reload();
    await a.locator(".result-title").or(a.getByText("This fight has ended.")).first().waitFor();
    await leaveAll(pages);
  });

  test("a fight goes on after its connections were cut, with what was on its way done once", { timeout: TEST_MS }, async () => {
    const cable = await Cable.to(server.url);
    const pages = [await player(cable.url), await player(cable.url)];
    await seat("duel", pages);
    await start(pages);
    await exchange(pages);
    const [striker] = pages;
    for (const page of pages) {
      await page.evaluate(() => {
        const { game } = window.tiltyard;
        game.addEventListener("change", () => (window.lost ||= !game.live));
      });
    }
    for (let cuts = 0; cuts < 2 && (await turn(striker)) === "ready"; cuts += 1) {
      const before = await Promise.all(pages.map(state));
      await Promise.all(pages.map((page) => page.evaluate(() => (window.lost = false))));
      await strikeByKey(striker);
      cable.cut();
      await Promise.all(pages.map((page) => until(page, () => window.lost && window.tiltyard.game.live)));
      await until(striker, (answered) => window.tiltyard.game.latency.answered === answered + 1, before[0].latency.answered);
      await level(pages);
      const after = await Promise.all(pages.map(state));
      for (const [i, now] of after.entries()) {
        assert.ok(now.q > before[i].q, "nothing that was shown is lost");
        assert.ok(now.snapshots <= before[i].snapshots + 1, "gone on with by deltas, or by one snapshot");
        assert.equal(now.drift, 0);
        assert.equal(now.slot, before[i].slot);
      }
      if (after[0].q === after[1].q) {
        assert.deepEqual(shared(after[0].view), shared(after[1].view));
      }
    }
    await Promise.all(pages.map((page, i) => fight(page, i === 0 ? strikeByKey : strikeByClick)));
    await sameEnd(pages);
    await leaveAll(pages);
    await cable.close();
  });

  test("a figure that walks is drawn between the places that were told, and stands where it stopped", { timeout: TEST_MS }, async () => {
    const pages = [await player(server.url), await player(server.url)];
    const [walker, watcher] = pages;
    await seat("duel", pages);
    await start(pages);
    const { slot } = await state(walker);
    // What the watcher's page draws, picture by picture.
    await watcher.evaluate((who) => {
      const { game } = window.tiltyard;
      window.seen = [];
      const look = () => {
        window.seen.push({ drawn: game.drawn(who).y, told: game.view.participants[who].y });
        requestAnimationFrame(look);
      };
      look();
    }, slot);
    const from = (await state(walker)).view.participants[slot].y;
    await walker.keyboard.down("s");
    await until(walker, (y) => window.tiltyard.game.place.y > y + 400, from);
    await walker.keyboard.up("s");
    await until(walker, () => {
      const { game } = window.tiltyard;
      return Math.abs(game.place.y - game.me.y) < 1;
    });
    const to = (await state(walker)).view.participants[slot].y;
    await until(watcher, (y) => Math.abs(window.seen.at(-1).drawn - y) < 1, to);
    const seen = await watcher.evaluate(() => window.seen);
    const told = new Set(seen.map(({ told: y }) => y));
    const between = seen.filter(({ drawn }) => ![...told].some((y) => Math.abs(y - drawn) < 0.5));
    assert.ok(told.size >= 3, `${told.size} places were told`);
    assert.ok(between.length >= 3, `${between.length} pictures of ${seen.length} show it between two of ${told.size} places`);
    assert.ok(seen.every(({ drawn }) => drawn >= from - 1 && drawn <= to + 1 + 850 * 0.25), "it goes no further than it may have gone");
    await noComplaints(pages);
    await leaveAll(pages);
  });

  test("a paused fight stands still and goes on where it was", { timeout: TEST_MS }, async () => {
    const pages = [await player(server.url), await player(server.url)];
    const [a] = pages;
    await seat("duel", pages);
    await start(pages);
    await exchange(pages);
    const { session, view } = await state(a);
    await server.set(session, "paused");
    for (const page of pages) {
      await until(page, () => window.tiltyard.game.paused);
      await says(page, "The fight is paused");
    }
    const stopped = await a.evaluate(() => window.tiltyard.game.time);
    await strikeByKey(a);
    await says(a, "The fight is paused.");
    await a.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    assert.equal(await a.evaluate(() => window.tiltyard.game.time), stopped);
    await server.set(session, "active");
    await until(a, () => window.tiltyard.game.status === "active");
    assert.deepEqual((await state(a)).view.participants, view.participants);
    await Promise.all(pages.map((page) => fight(page, strikeByKey)));
    await sameEnd(pages);
    await noComplaints(pages);
    await leaveAll(pages);
  });

  test("one click opens a second tab that is the opponent", { timeout: TEST_MS }, async () => {
    const page = await player(server.url);
    await page.locator("#duel").click();
    await live(page);
    const opened = page.context().waitForEvent("page", { timeout: WAIT_MS });
    await page.getByRole("link", { name: "Open a second tab" }).click();
    const tab = await opened;
    await live(tab);
    await until(page, () => window.tiltyard.game.full);
    const [one, other] = [await state(page), await state(tab)];
    assert.equal(other.session, one.session);
    assert.equal(new URL(tab.url()).hash, "", "a reload must not ask for another seat");
    await noComplaints([page]);
    await leaveAll([page]);
  });

  test("a player who opens the fight elsewhere is told, and can take it back", { timeout: TEST_MS }, async () => {
    const page = await player(server.url);
    await page.locator("#brawl").click();
    await live(page);
    await page.evaluate(async () => {
      const { token } = JSON.parse(sessionStorage.getItem("tiltyard.player"));
      const { session } = window.tiltyard.game;
      const answer = await fetch(`/sessions/${session}/tickets`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
      const socket = new WebSocket((await answer.json()).url, "tiltyard.v2.json");
      socket.onopen = () => socket.send(JSON.stringify({ t: "join", d: { session } }));
    });
    await says(page, "You opened this fight in another tab.");
    await page.getByRole("button", { name: "Fight in this tab" }).click();
    await live(page);
    await page.getByRole("button", { name: "Leave" }).click();
    await says(page, "press 1 for a duel");
    await noComplaints([page]);
    await leaveAll([page]);
  });

  test("a duplicated tab becomes an opponent instead of taking the fight over", { timeout: TEST_MS }, async () => {
    const page = await player(server.url);
    await page.locator("#duel").click();
    await live(page);
    const copied = await page.evaluate(() => Object.entries(sessionStorage));
    const twin = await page.context().newPage();
    twin.setDefaultTimeout(WAIT_MS);
    await twin.addInitScript((entries) => {
      if (sessionStorage.length === 0) {
        entries.forEach(([key, value]) => sessionStorage.setItem(key, value));
      }
    }, copied);
    await twin.goto(server.url);
    await ready(twin);
    await says(twin, "Your other tab keeps its rider");
    await twin.locator("#duel").click();
    await live(twin);
    const [one, other] = [await state(page), await state(twin)];
    assert.equal(other.session, one.session);
    assert.notEqual(other.slot, one.slot);
    await noComplaints([page]);
    await leaveAll([page]);
  });

  test("a server that admits no guests is explained", { timeout: TEST_MS }, async () => {
    const page = await player(server.url, { noGuests: true });
    await page.keyboard.press("1");
    await says(page, "This server admits no guests.");
    await page.getByLabel("Your token").fill("not-a-token");
    await page.getByRole("button", { name: "Use token" }).click();
    await page.locator("#duel").click();
    await says(page, "This token is not valid.");
    await picture(page, "8-no-guests");
    await leaveAll([page]);
  });
});

test("a fight survives its server", { timeout: TEST_MS }, async () => {
  const server = await Server.start();
  try {
    const pages = [await player(server.url), await player(server.url)];
    await seat("duel", pages);
    await start(pages);
    await exchange(pages);
    const [striker] = pages;
    assert.equal(await turn(striker), "ready");
    const before = await Promise.all(pages.map(state));
    // A strike that may be answered before the end, or be on its way in either direction.
    await strikeByKey(striker);
    await server.kill();
    for (const page of pages) {
      await until(page, () => !window.tiltyard.game.live);
      await says(page, "The connection broke. The page comes back by itself");
    }
    await picture(striker, "9-reconnecting");
    await server.restart();
    await live(striker);
    await until(striker, (answered) => window.tiltyard.game.latency.answered === answered + 1, before[0].latency.answered);
    const hp = ({ view }, slot) => view.participants[slot].hp;
    for (const [i, page] of pages.entries()) {
      await live(page);
      const now = await state(page);
      assert.equal(now.session, before[i].session);
      assert.equal(now.slot, before[i].slot);
      assert.ok(now.q >= before[i].q, "nothing that was shown is lost");
      assert.equal(hp(now, before[0].slot), hp(before[i], before[0].slot));
    }
    // The session's clock is back where its log ends, which may be too early for a strike that had not arrived yet.
    await level(pages);
    const was = hp(before[0], before[1].slot);
    if (hp(await state(striker), before[1].slot) === was) {
      assert.equal(await turn(striker), "ready");
      await strikeByKey(striker);
    }
    await until(pages[1], ([slot, full]) => window.tiltyard.game.view.participants[slot].hp < full, [before[1].slot, was]);
    await Promise.all(pages.map((page, i) => fight(page, i === 0 ? strikeByKey : strikeByClick)));
    await sameEnd(pages);
    await leaveAll(pages);
  } finally {
    await server.stop();
  }
});
