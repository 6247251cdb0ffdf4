// What the arena page shows of fights made up for it: everything that a fight can have, on a wide and on a narrow screen,
// without waiting for a real one to have it. The server's side is played by stand.mjs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { A, E, OWN, RULES, participant, viewWith } from "./scenes.mjs";
import { said, seated, stand } from "./stand.mjs";
import { WAIT_MS, WIDE, launch, noComplaints, shotsFolder, visitor } from "./support.mjs";

const TEST_MS = 120_000;
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const SCREENS = [
  ["wide", { viewport: WIDE }],
  ["phone", PHONE],
];

let server;
let browser;
let shots;

before(async () => {
  shots = await shotsFolder();
  server = await stand();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.close();
});

const open = (options) => visitor(browser, server.url, options);
const unit = (page, slot) => page.locator(`.unit[data-slot="${slot}"]`);
const plate = (page, slot) => page.locator(`.plate[data-slot="${slot}"]`);
const move = (page, name) => page.locator(".move", { has: page.locator(".move-name", { hasText: name }) });
const shows = (locator) => locator.waitFor({ timeout: WAIT_MS });
const gone = (locator) => locator.waitFor({ state: "detached", timeout: WAIT_MS });

async function done(page, name) {
  await page.screenshot({ path: join(shots, `${name}.png`) });
  await noComplaints([page]);
  await page.context().close();
}

/** Everything that can be pressed is on the screen and big enough to be hit, and nothing makes the page scroll sideways. */
async function fits(page) {
  const { width, height } = page.viewportSize();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
  for (const button of await page.locator(".move:visible, .part:visible").all()) {
    const box = await button.boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= width && box.y + box.height <= height, JSON.stringify(box));
    assert.ok(box.height >= 28 && box.width >= 44, JSON.stringify(box));
  }
}

/** Ten riders in two teams, each in a state of its own. */
function teams() {
  const at = (i) => (i % 2 === 0 ? 700 + (i % 3) * 500 : 5300 - (i % 4) * 400);
  const people = Array.from({ length: 10 }, (_, i) =>
    participant(i, i % 2, at(i), 500 + Math.floor(i / 2) * 700, { hp: 100 - i * 8, score: i * 30 }),
  );
  Object.assign(people[0], OWN, { energy: 20_000, charge: 60, used: [[A.pulse, 1, 9000], [A.stim, 1, 60_000]] });
  Object.assign(people[2], { shield: 50, effects: [[E.shield, 1, 60_000], [E.haste, 1, 0]] });
  Object.assign(people[3], { cast: [A.medkit, 3000], state: 2 });
  Object.assign(people[4], { status: "eliminated", hp: 0, state: 5 });
  Object.assign(people[5], { effects: [[E.stun, 1, 60_000]], state: 4 });
  Object.assign(people[9], { guard_until: 60_000, state: 3 });
  return people;
}

/** Three riders against the server's enemies. */
function raid() {
  const riders = [
    participant(0, 0, 700, 2000, { ...OWN, armor: 0, charge: 100, hp: 71 }),
    participant(1, 0, 900, 2900, { armor: 0 }),
    participant(2, 0, 800, 900, { armor: 0, hp: 22 }),
  ];
  const boss = participant(3, 1, 4400, 2000, { enemy: 2, hp: 520, armor: 20 });
  const tank = participant(4, 1, 3600, 900, { enemy: 1, hp: 180, armor: 0 });
  const drones = Array.from({ length: 6 }, (_, i) =>
    participant(5 + i, 1, 3400 + (i % 3) * 330, 2700 + Math.floor(i / 3) * 420, { enemy: 0, hp: 40 - i * 5, armor: 0 }),
  );
  return [...riders, boss, tank, ...drones];
}

for (const [screen, options] of SCREENS) {
  describe(`on a ${screen} screen`, () => {
    test("two teams with all that can be on them", { timeout: TEST_MS }, async () => {
      const page = await open(options);
      const feed = await seated(page, "arena");
      const more = ["time_dilation", "weapon_jam", "finisher", "dash"].map((name) => ({ ...RULES.abilities[A.berserk], name, key: "" }));
      const abilities = [...RULES.abilities.slice(0, A.slam), ...more];
      const rules = { ...RULES, mode: "arena", rounds: 3, title: "Five a side", abilities, kit: abilities.length };
      const view = { ...viewWith(teams(), { phase: { round: 1, wins: [[0, 1]] } }), modifiers: [E.haste] };
      await feed.join(0, view, { rules });
      await shows(unit(page, 9));
      assert.equal(await page.locator(".unit").count(), 10);
      assert.equal(await page.locator('.unit[data-side="foe"]').count(), 5);
      assert.equal(await page.locator('.plates[data-side="allies"] .plate').count(), 5);
      assert.equal(await page.locator('.plates[data-side="foes"] .plate[data-team="1"]').count(), 5);
      assert.equal(await unit(page, 4).getAttribute("data-status"), "eliminated");
      await shows(page.locator('.unit[data-slot="5"][data-stunned]'));
      await shows(page.locator('.unit[data-slot="3"][data-casting]'));
      await shows(page.locator('.unit[data-slot="9"][data-guarding]'));
      assert.equal(await unit(page, 2).locator(".unit-chips > g").count(), 2);
      assert.match(await plate(page, 2).locator(".plate-chips").textContent(), /^Shield \d+ s.*Haste$/);
      assert.match(await page.locator(".over-score").textContent(), /Rounds 1 : 0 of 3 · Haste/);
      await fits(page);
      const hits = [1, 3].map((to) => ({ k: "hit", by: 0, to, n: 22, a: A.pulse }));
      const ev = [{ k: "used", by: 0, a: A.pulse }, ...hits, { k: "hit", by: 9, to: 2, n: 24, guarded: true }];
      await feed.delta(20, { p: [{ i: 1, hp: 60 }, { i: 3, hp: 40 }], c: [[0, 30]], ev });
      await shows(page.locator('.mark[data-tone="harm"]').first());
      await shows(page.locator(".float", { hasText: "22" }).first());
      await shows(page.locator('.cover[data-worn="some"]'));
      await shows(page.locator(".feed li", { hasText: "You use Area pulse" }));
      await done(page, `stage-teams-${screen}`);
    });

    test("enemies with a boss, its phases, and what they leave behind", { timeout: TEST_MS }, async () => {
      const page = await open(options);
      const feed = await seated(page, "coop");
      const rules = { ...RULES, mode: "pve", title: "Boss fight" };
      await feed.join(0, viewWith(raid(), { seats: 3 }), { rules });
      await shows(page.locator('.unit[data-rank="boss"][data-phase="0"]'));
      assert.equal(await page.locator('.plates[data-side="foes"] .plate').first().getAttribute("data-rank"), "boss");
      assert.match(await plate(page, 3).locator(".plate-phases").textContent(), /1: Waves/);
      const ev = [
        { k: "enraged", by: 3, enemy: 2, st: 1 },
        { k: "used", by: 3, a: A.slam },
        { k: "hit", by: 3, to: 0, n: 21, a: A.slam },
        { k: "destroyed", by: 1, z: 0 },
        { k: "eliminated", by: 1, to: 4 },
      ];
      const p = [{ i: 3, phase: 1, cast: [A.slam, 60_000] }, { i: 0, hp: 50 }, { i: 4, status: "eliminated", hp: 0 }];
      await feed.delta(20, { p, z: [[0, 0, 1]], ev });
      await shows(page.locator('.unit[data-rank="boss"][data-phase="1"][data-casting]'));
      assert.match(await plate(page, 3).locator(".plate-phases").textContent(), /2: Pulse/);
      await gone(unit(page, 4));
      await gone(plate(page, 4));
      await shows(page.locator(".hazard[data-gone]"));
      await shows(page.locator(".feed li", { hasText: "Warlord turns to pulse" }));
      await fits(page);
      await page.screenshot({ path: join(shots, `stage-boss-${screen}.png`) });
      const standings = raid().map(({ player, team, enemy }, slot) => ({ slot, player, team, enemy, score: 300 - slot * 20, damage: 900, eliminations: 1 }));
      await feed.delta(20, { ph: { status: "active", phase: "cooldown", state: "results", team: 0, end: "cleared" }, ev: [{ k: "phase" }] });
      await feed.say("result", { q: feed.q, reason: "cleared", team: 0, duration_ms: 83_000, standings });
      await shows(page.locator(".result-title", { hasText: "Victory" }));
      assert.match(await page.locator(".result-words").textContent(), /Every enemy was beaten\. It took 1:23/);
      await done(page, `stage-result-${screen}`);
    });
  });
}

test("moves show what they cost, how they recover, and why they cannot be made", { timeout: TEST_MS }, async () => {
  const page = await open();
  const feed = await seated(page);
  await feed.join(0, viewWith([participant(0, 0, 2000, 1000, OWN), participant(1, 1, 3500, 1000)]));
  const why = (name) => move(page, name).getAttribute("data-why");
  const hint = (name) => move(page, name).locator(".move-hint").textContent();
  await shows(page.locator(".move[aria-disabled=false]").first());
  assert.equal(await hint("Area pulse"), "25 energy");
  assert.equal(await move(page, "Medkit").locator(".move-left").textContent(), "2×");
  assert.deepEqual(await page.locator(".move kbd").allTextContents(), ["Space", "F", "Q", "E", "R", "Z", "X"]);
  await page.keyboard.press("q");
  await page.waitForFunction(() => window.stand.said.some(({ t }) => t === "action"));
  assert.deepEqual((await said(page, "action")).map(({ kind, a }) => [kind, a]), [["ability", A.pulse]]);
  assert.equal(await why("Area pulse"), "pending");
  const { id } = (await said(page, "action"))[0];
  await feed.say("ack", { id, q: feed.q + 1 });
  await feed.delta(10, { p: [{ i: 0, energy: 5000, energy_at: 1010, used: [[A.pulse, 1, 13_000]] }], ev: [{ k: "used", by: 0, a: A.pulse }] });
  await shows(page.locator('.move[data-ability="0"][data-why="cooldown"]'));
  assert.match(await move(page, "Area pulse").locator(".move-wait").textContent(), /^1[12]$/);
  const swept = await move(page, "Area pulse").evaluate((node) => Number(node.style.getPropertyValue("--charge")));
  assert.ok(swept < 0.2, String(swept));
  assert.equal(await why("Shield boost"), "not_enough_energy");
  assert.equal(await hint("Shield boost"), "Not enough energy");
  await page.keyboard.press("r");
  await shows(page.locator(".fight .move-note", { hasText: "Not charged yet" }));
  await feed.delta(10, { p: [{ i: 0, effects: [[E.silence, 1, 9000]] }] });
  await shows(page.locator('.move[data-ability="2"][data-why="denied"]'));
  await feed.delta(10, { p: [{ i: 0, ammo: 0, reload_at: 3000, effects: [] }] });
  await shows(page.locator('.move[data-kind="attack"][data-why="reloading"]'));
  await shows(page.locator('.gauge[data-gauge="ammo"]', { hasText: "reload" }));
  await done(page, "stage-moves");
});

test("fog hides: who is out of sight is not drawn, and comes back where it is seen", { timeout: TEST_MS }, async () => {
  const page = await open();
  const feed = await seated(page, "brawl");
  const foe = participant(1, 1, 3500, 1000);
  const view = viewWith([participant(0, 0, 2000, 1000, OWN), foe, participant(2, 2, 5000, 3000)]);
  await feed.join(0, view, { rules: { ...RULES, sight_cm: 2000 } });
  await shows(unit(page, 1));
  await feed.delta(10, { p: [{ i: 1, hidden: true }], ev: [{ k: "hit", to: 0, n: 9 }] });
  await gone(unit(page, 1));
  await shows(page.locator('.plate[data-slot="1"][data-status="hidden"]', { hasText: "Unseen" }));
  assert.ok(await plate(page, 1).isDisabled());
  assert.equal(await page.evaluate(() => window.tiltyard.game.target), 2);
  await shows(page.locator(".feed li", { hasText: "Somebody hit you for 9" }));
  await page.screenshot({ path: join(shots, "stage-fog.png") });
  await feed.delta(10, { p: [{ i: 1, ...foe, x: 2600, hp: 40 }] });
  await shows(unit(page, 1));
  await shows(plate(page, 1).locator(".bar-text", { hasText: "40" }));
  await done(page, "stage-fog-lifted");
});

test("walking, aiming and striking by keys, by clicks and by taps", { timeout: TEST_MS }, async () => {
  const view = () => viewWith([participant(0, 0, 2000, 1000, OWN), participant(1, 1, 2600, 1000), participant(2, 2, 2600, 2600)]);
  const page = await open();
  const feed = await seated(page, "brawl");
  await feed.join(0, view());
  await shows(unit(page, 2));
  const place = () => page.evaluate(() => ({ ...window.tiltyard.game.place }));
  await page.keyboard.down("s");
  await page.waitForFunction(() => window.tiltyard.game.place.y > 1200);
  await page.keyboard.up("s");
  const claims = (await said(page, "action")).filter(({ kind }) => kind === "move");
  assert.ok(claims.length > 0 && claims.every(({ x, y }) => x === 2000 && y > 1000));
  await feed.delta(300, { id: claims.at(-1).id, p: [{ i: 0, x: claims.at(-1).x, y: claims.at(-1).y }] });

  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => window.tiltyard.game.target), 2);
  await page.keyboard.press("1");
  assert.equal(await page.evaluate(() => window.tiltyard.game.target), 1);
  await plate(page, 2).click();
  assert.equal(await page.evaluate(() => window.tiltyard.game.target), 2);
  await page.keyboard.press("Escape");
  assert.ok(await page.evaluate(() => document.activeElement.classList.contains("move")), "Escape leads to the buttons");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.kind), "defend");
  await page.keyboard.press("Escape");

  await page.keyboard.down("Shift");
  await page.keyboard.press(" ");
  await page.keyboard.up("Shift");
  const attacks = async () => (await said(page, "action")).filter(({ kind }) => kind === "attack");
  const [{ id, to, part }] = await attacks();
  assert.deepEqual([to, part], [2, "head"]);
  await feed.say("refused", { id, reason: "no_sight" });
  await shows(page.locator(".fight .move-note", { hasText: "Something is in the way." }));
  await unit(page, 1).locator(".unit-body").click();
  assert.equal((await attacks()).at(-1).to, 1, "a click strikes");
  assert.equal((await attacks()).at(-1).part, undefined);

  const ground = await page.locator(".floor-base").boundingBox();
  await page.mouse.click(ground.x + ground.width / 6, ground.y + ground.height / 8);
  await page.waitForFunction(() => window.tiltyard.game.place.x < 1900);
  assert.ok((await place()).y < 1250);
  await page.keyboard.press("ArrowRight");
  await noComplaints([page]);
  await page.context().close();

  const phone = await open(PHONE);
  const other = await seated(phone, "brawl");
  await other.join(0, view());
  await shows(unit(phone, 2));
  await unit(phone, 2).locator(".unit-body").tap();
  assert.deepEqual((await said(phone, "action")).map(({ kind, to: at }) => [kind, at]), [["attack", 2]]);
  const floor = await phone.locator(".floor-base").boundingBox();
  await phone.touchscreen.tap(floor.x + 20, floor.y + 20);
  await phone.waitForFunction(() => window.tiltyard.game.place.x < 1900);
  await move(phone, "Guard").tap();
  await phone.waitForFunction(() => window.stand.said.some(({ d }) => d.kind === "defend"));
  await done(phone, "stage-touch");
});

test("in turns, the page says whose turn it is", { timeout: TEST_MS }, async () => {
  const page = await open();
  const feed = await seated(page);
  const view = viewWith([participant(0, 0, 2000, 1000, OWN), participant(1, 1, 3000, 1000)], { phase: { turn: 1, turn_until: 60_000 } });
  await feed.join(0, view, { rules: { ...RULES, turn_ms: 60_000 } });
  await shows(page.getByText(/It is the turn of/).first());
  await shows(page.locator('.unit[data-slot="1"][data-turn]'));
  await feed.delta(10, { ph: { ...feed.view.phase, turn: 0 }, ev: [{ k: "turn", by: 0 }] });
  await shows(page.locator(".over-score", { hasText: "Your turn" }));
  await shows(page.locator('.plate[data-slot="0"][data-turn]'));
  await done(page, "stage-turns");
});
