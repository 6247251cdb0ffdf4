// Writes the cases and the digest vectors of the kit, or with --check says whether they are what this would write.
//
//   node protocol/kit/make/make.mjs [--check]

import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";

import { digest, spelled } from "./reference.mjs";
import { RULES } from "./script.mjs";
import { vectors } from "./vectors.mjs";

const WIDTH = 140;
const SHORT = 40;
const kit = new URL("../", import.meta.url);

/** JSON in which what fits into a line is one, and what is short shares one. */
function pretty(value, indent = "") {
  const flat = JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");
  if (typeof value !== "object" || value === null || indent.length + flat.length <= WIDTH) {
    return flat;
  }
  const inner = `${indent}  `;
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const items = Array.isArray(value)
    ? value.map((item) => pretty(item, inner))
    : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${pretty(item, inner)}`);
  const lines = [];
  let shares = false;
  for (const item of items) {
    const short = item.length <= SHORT && !item.includes("\n");
    const line = lines.at(-1);
    if (short && shares && line.length + item.length + 3 <= WIDTH) lines[lines.length - 1] = `${line}, ${item}`;
    else lines.push(inner + item);
    shares = short;
  }
  return `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}

const files = new Map();
for (const file of readdirSync(new URL("topics/", import.meta.url)).sort()) {
  const { topic, cases } = await import(new URL(`topics/${file}`, import.meta.url));
  files.set(`cases/${file.replace(".mjs", ".json")}`, { $schema: "../case.schema.json", topic, rules: RULES, cases });
}
files.set("digests.json", {
  about: "Views, their words in order as docs/PROTOCOL.md lists them, and their digests.",
  vectors: vectors.map(({ name, view }) => ({ name, view, words: spelled(view), digest: digest(view) })),
});

const textOf = (file) => (existsSync(file) ? readFileSync(file, "utf8") : "");
const check = process.argv.includes("--check");
const stale = [];
for (const [name, value] of files) {
  const file = new URL(name, kit);
  const text = `${pretty(value)}\n`;
  if (!isDeepStrictEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))) throw new Error(`${name} is not written as it is`);
  if (!check) writeFileSync(file, text);
  else if (textOf(file) !== text) stale.push(name);
}
for (const file of readdirSync(new URL("cases/", kit))) {
  if (files.has(`cases/${file}`)) continue;
  if (check) stale.push(`cases/${file}`);
  else rmSync(new URL(`cases/${file}`, kit));
}
if (stale.length > 0) {
  console.error(`not what make.mjs writes: ${stale.join(", ")}`);
  process.exitCode = 1;
} else {
  const count = [...files.values()].reduce((sum, { cases }) => sum + (cases?.length ?? 0), 0);
  console.log(`${count} cases, ${vectors.length} digest vectors`);
}
