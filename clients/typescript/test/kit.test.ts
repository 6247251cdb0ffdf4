// The conformance kit: its files are what they are said to be, and this client does what every case says, in both encodings.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Ajv2020 } from "ajv/dist/2020.js";

import { apply, digest, json, viewOf, type Delta, type Snapshot, type View } from "@tiltyard/client";
import { msgpack } from "@tiltyard/client/msgpack";

import { TELLINGS, fits, play, type Case, type Hearing } from "./kit.js";

const kit = new URL("../../../protocol/kit/", import.meta.url);
const read = async (file: string | URL): Promise<unknown> => JSON.parse(await readFile(new URL(file, kit), "utf8"));

interface File {
  topic: string;
  rules: unknown;
  cases: Case[];
}

const names = (await readdir(new URL("cases/", kit))).sort();
const files = await Promise.all(names.map(async (name) => (await read(`cases/${name}`)) as File));

describe("the kit's files", () => {
  test("are cases by the schema", async () => {
    const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false, allowUnionTypes: true, formats: { uuid: /^[0-9a-f-]{36}$/ } });
    const valid = ajv.compile((await read("case.schema.json")) as object);
    files.forEach((file, place) => assert.ok(valid(file), `${names[place]}: ${JSON.stringify(valid.errors?.slice(0, 3))}`));
    const [first] = files;
    assert.ok(!valid({ ...first, cases: [{ name: "x", shows: "y", steps: [{ dials: [0] }] }] }), "a step that is wrong is found");
  });

  test("are what the kit's script writes", async () => {
    await promisify(execFile)(process.execPath, [fileURLToPath(new URL("make/make.mjs", kit)), "--check"]);
  });

  test("are as the README shows one", async () => {
    const text = await readFile(new URL("README.md", kit), "utf8");
    const shown = JSON.parse(text.match(/```json\n([^]*?)```/)?.[1] ?? "null", (key, value: unknown) => (key === "…" ? undefined : value)) as Case;
    const real = files.flatMap(({ cases }) => cases).find(({ name }) => name === shown.name);
    assert.ok(fits(real, shown), "the case of that name is another");
  });

  test("have a name each", () => {
    const all = files.flatMap(({ cases }) => cases.map(({ name }) => name));
    assert.equal(new Set(all).size, all.length);
    assert.ok(all.length >= 150, `${all.length} cases`);
  });
});

describe("a case fails where the client tells", () => {
  const all = files.flatMap(({ rules, cases }) => cases.map((one) => ({ rules, one })));
  /** Whether a case that has `t` told fails where the client is heard like this. */
  const isFound = async (t: string, hearing: () => Hearing): Promise<boolean> => {
    for (const { rules, one } of all.filter(({ one }) => one.steps.some(({ told }) => told?.some((telling) => telling.t === t)))) {
      const passed = await play(one, rules, json, hearing()).then(() => true, () => false);
      if (!passed) return true;
    }
    return false;
  };
  const slips: Record<string, (t: string) => Hearing> = {
    twice: (t) => (told) => (told.t === t ? [told, told] : [told]),
    "not at all": (t) => (told) => (told.t === t ? [] : [told]),
    "after what comes next": (t) => {
      const late: ReturnType<Hearing> = [];
      return (told) => (told.t === t ? (late.push(told), []) : [told, ...late.splice(0)]);
    },
    "where there is nothing to tell": (t) => (told) => (told.t === "joined" ? [told, { t, d: {} }] : [told]),
  };
  for (const t of [...TELLINGS, "unanswered"]) {
    for (const [how, slip] of Object.entries(slips)) {
      test(`${t} ${how}`, async () => assert.ok(await isFound(t, () => slip(t)), "all cases pass all the same"));
    }
  }
});

describe("digests", () => {
  test("are those of the kit's vectors", async () => {
    const { vectors } = (await read("digests.json")) as { vectors: { name: string; view: View; words: [string, number][]; digest: number }[] };
    for (const { name, view, words, digest: wanted } of vectors) {
      assert.equal(digest(view), wanted, name);
      const sum = words.reduce((h, [, word]) => ((h = Math.imul(h ^ word, 0x9e3779b1)), h ^ (h >>> 15)), 0x811c9dc5);
      assert.equal(sum >>> 0, wanted, `${name}: of the words`);
    }
  });

  test("are the server's", async () => {
    interface Vector {
      name: string;
      snapshot: Snapshot;
      deltas: Delta[];
      end: { view: View; h: number };
    }
    const { cases } = (await read(new URL("../../tests/browser/vectors.json", kit))) as { cases: Vector[] };
    const reference = (await import(new URL("make/reference.mjs", kit).href)) as { digest(view: View): number };
    for (const { name, snapshot, deltas, end } of cases) {
      let [view, q] = [viewOf(snapshot), snapshot.q];
      for (const delta of deltas) {
        [view, q] = [apply(view, q, delta), delta.q];
      }
      assert.deepEqual(view, end.view, name);
      assert.equal(digest(view), end.h, name);
      assert.equal(reference.digest(view), end.h, `${name}: the kit's own`);
    }
  });
});

for (const codec of [json, msgpack]) {
  for (const { topic, rules, cases } of files) {
    describe(`${topic} (${codec.subprotocol})`, () => {
      for (const one of cases) {
        test(one.name, () => play(one, rules, codec));
      }
    });
  }
}
