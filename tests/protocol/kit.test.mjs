// The conformance kit with the clients of docs/examples: each plays the cases of every client and of the optional parts that it claims, in JSON,
// and says which parts it does not claim. A client with a fault planted in it fails.
//
// PYTHON   a Python 3 with the modules of requirements.txt (default: python3)

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";

import { InPage, InPython, source } from "./kit/hosts.mjs";
import { play } from "./kit/run.mjs";

const kit = new URL("../../protocol/kit/", import.meta.url);
const read = (file) => readFile(new URL(file, kit), "utf8");
const readme = await read("README.md");
const { $defs } = JSON.parse(await read("case.schema.json"));
const PARTS = $defs.case.properties.needs.items.enum;
const CLAIMS = ["digests", "tickets", "time", "window"];

const names = (await readdir(new URL("cases/", kit))).sort();
const topics = await Promise.all(names.map(async (name) => JSON.parse(await read(`cases/${name}`))));
const all = topics.flatMap(({ topic, rules, cases }) => cases.map((one) => ({ topic, rules, one })));
const isClaimed = ({ one: { needs = [] } }) => needs.every((part) => CLAIMS.includes(part));
const played = all.filter(isClaimed);

describe("the kit's README says", () => {
  const rows = readme.split("\n").filter((line) => line.startsWith("| ")).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const words = (cell = "") => [...cell.matchAll(/`(\w+)`/g)].map(([, word]) => word);

  test("how many cases are of every client, and of each optional part", () => {
    const everyClients = all.filter(({ one }) => one.needs === undefined).length;
    assert.ok(readme.includes(`**every client**: ${everyClients} of the ${all.length}`), `${everyClients} of ${all.length}`);
    const said = rows.flatMap(([parts, counts]) => words(parts).map((part, i) => [part, Number(counts.split(", ")[i])]));
    for (const part of PARTS) {
      assert.deepEqual(said.find(([of]) => of === part), [part, all.filter(({ one }) => one.needs?.includes(part)).length]);
    }
  });

  test("what the examples claim, and what they do not", () => {
    const [, , claims, others] = rows.find(([client]) => client.startsWith("the examples")) ?? [];
    assert.deepEqual(words(claims), CLAIMS);
    assert.deepEqual(words(others).sort(), PARTS.filter((part) => !CLAIMS.includes(part)).sort());
  });
});

// Of each a place in the source, what is there instead, and the case that shows it.
const FAULTS = {
  "client.js": {
    "forgets what had no answer": ["this.pending.forEach(", "[].forEach(", "what has no answer is sent again"],
    "tells an answer twice": ['(!this.pending.delete(d.id) && !(t === "refused" && d.id === 0))', "this.pending.delete(NaN)", "an answer comes twice"],
    "begins its ids anew": ["lastId: Math.max(this.lastId, d.last_id)", "lastId: 0", "ids go on from the last"],
    "names no sequence": ["this.isSound ? this.seq : undefined", "undefined", "resumes where it was"],
    "goes on from a view that is wrong": ["this.isSound ? this.seq : undefined", "this.seq", "has a view that is wrong"],
    "does not see a gap": ["if (d.q !== this.seq + 1)", "if (false)", "a delta is missing"],
    "does not look at a delta's digest": ["if (d.h !== undefined && ", "if (false && ", "a delta has another digest"],
    "asks for a snapshot all the time": ["this.joinedAt + 1_000", "0", "a client that drifts again and again"],
    "comes back where another took its place": ["const BACK = { ", "const BACK = { 4409: SOON, ", "stays away after 4409"],
    "does not come back from a restart": ["1012: SPREAD, ", "", "comes back after 1012"],
    "comes back too soon after a flood": ["[7_200,", "[300,", "comes back after 4429"],
    "never waits longer": ["2 ** this.tries", "1", "cannot come back at once"],
    "uses a ticket again": ["url ??= (await", "url = this.url ??= (await", "comes back after 1006"],
    "does not heed Retry-After": ["Math.max(waitMs, ms)", "ms", "a ticket is to be had later"],
    "does not see a dead connection": ["this.heard + 10_000", "Infinity", "nothing is heard any more"],
    "takes no account of the way": ["d.time - (d.n + this.heard) / 2", "d.time - this.heard", "learns what time it is"],
    "has time pass in a pause": ['if (this.view?.phase.status === "paused") return at;', "", "stands still in a pause"],
    "does not join again where a session moves": ['d.why === "moved") this.join()', 'd.why === "moved") return', "a session moves"],
    "tells no events": ["d.ev?.forEach(", "[].forEach(", "is acknowledged before the view shows it"],
    "never has as many as there may be": ["this.pending.size >= 64", "this.pending.size >= 60", "has all that is remembered on its way"],
  },
  "view.js": {
    "remembers what went into the fog": ["patch.hidden ? seen(who)", "patch.hidden ? who", "goes out of sight"],
    "mixes up two who had a seat": ["patch.player ? NOBODY", "false ? NOBODY", "a seat is taken again"],
    "keeps who has gone": ["view.participants.slice(0, n)", "view.participants.slice(0)", "enemies go"],
    "has the digest of who stands": ["if (motions.length > 0)", "if (false)", "turns and goes"],
  },
  "client.py": {
    "forgets what had no answer": ["in self.pending.items():", "in ():", "what has no answer is sent again"],
    "tells an answer twice": ['(self.pending.pop(d["id"], None) is None and (t, d["id"]) != ("refused", 0))', 'self.pending.pop(d["id"], 0)', "an answer comes twice"],
    "begins its ids anew": ['max(self.last_id, d["last_id"])', "0", "ids go on from the last"],
    "names no sequence": ['"seq": self.seq if self.sound else None', '"seq": None', "resumes where it was"],
    "goes on from a view that is wrong": ["self.seq if self.sound else None", "self.seq", "has a view that is wrong"],
    "does not see a gap": ['if d["q"] != self.seq + 1:', "if False:", "a delta is missing"],
    "does not look at a delta's digest": ['if "h" in d and ', "if False and ", "a delta has another digest"],
    "asks for a snapshot all the time": ["self.joined_at + 1)", "0)", "a client that drifts again and again"],
    "comes back where another took its place": ["BACK = {", "BACK = {4409: SOON, ", "stays away after 4409"],
    "does not come back from a restart": ["1012: SPREAD, ", "", "comes back after 1012"],
    "comes back too soon after a flood": ["(7.2,", "(0.3,", "comes back after 4429"],
    "never waits longer": ["2**tries", "1", "cannot come back at once"],
    "does not heed Retry-After": ["max(wait, min(", "max(0, min(", "a ticket is to be had later"],
    "does not see a dead connection": ["self.heard > 10", "self.heard > 1e9", "nothing is heard any more"],
    "takes no account of the way": ['d["time"] - d["n"] - trip / 2', 'd["time"] - d["n"] - trip', "learns what time it is"],
    "has time pass in a pause": ['["status"] == "paused"', '["status"] == ""', "stands still in a pause"],
    "does not join again where a session moves": ['d["why"] == "moved":\n            self.join()', 'd["why"] == "moved":\n            return', "a session moves"],
    "tells no events": ['d.get("ev", [])', "[]", "is acknowledged before the view shows it"],
    "never has as many as there may be": ["len(self.pending) < 64", "len(self.pending) < 60", "has all that is remembered on its way"],
  },
  "view.py": {
    "remembers what went into the fog": ["NOBODY | {name: who[name] for name in KNOWN}", "who", "goes out of sight"],
    "mixes up two who had a seat": ['NOBODY if "player" in patch else everybody[i]', "everybody[i] if i < len(everybody) else NOBODY", "a seat is taken again"],
    "keeps who has gone": ['[: delta.get("n")]', "[:]", "enemies go"],
    "has the digest of who stands": ["if any(motion[1:])]", "if False]", "turns and goes"],
  },
};

for (const Host of [InPage, InPython]) {
  const texts = await Promise.all(Host.of.map(source));
  const name = Host.of.at(-1);
  describe(`${name}, the conformance kit`, () => {
    let host;
    before(() => (host = new Host(...texts)));
    after(() => host.stop());

    test("does not claim every part", (t) => {
      for (const part of PARTS.filter((part) => !CLAIMS.includes(part))) {
        t.diagnostic(`${name} does not claim ${part}: ${all.filter(({ one }) => one.needs?.includes(part)).length} cases left out`);
      }
      t.diagnostic(`${name} plays ${played.length} of ${all.length} cases`);
      assert.ok(played.length >= 106, `${played.length} cases`);
    });

    for (const { topic, rules, one } of played) {
      test(`${topic}: ${one.name}`, () => play(one, rules, host));
    }
  });

  describe(`${name}, a fault is found: it`, () => {
    for (const [place, file] of Host.of.entries()) {
      for (const [fault, [was, is, shows]] of Object.entries(FAULTS[file])) {
        test(fault, async (t) => {
          assert.equal(texts[place].split(was).length, 2, `${file} has one ${was}`);
          const host = new Host(...texts.with(place, texts[place].replace(was, () => is)));
          t.after(() => host.stop());
          const { rules, one } = played.find(({ one }) => one.name === shows);
          await assert.rejects(play(one, rules, host), `${shows} passes all the same`);
        });
      }
    }
  });
}
