// The server's pages have this client as it is compiled, so that neither they nor the server's build need Node.js. Here it is held
// to the sources.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";

const dist = new URL("../dist/", import.meta.url);
const pages = new URL("../../../web/client/", import.meta.url);

test("the pages have what the sources compile to, and nothing that needs a package", async () => {
  const made = (await readdir(dist)).filter((name) => name.endsWith(".js") && name !== "msgpack.js");
  assert.deepEqual((await readdir(pages)).sort(), made.sort(), "run `npm run pages`");
  for (const name of made) {
    const [ours, theirs] = await Promise.all([dist, pages].map((folder) => readFile(new URL(name, folder), "utf8")));
    assert.equal(theirs, ours, `web/client/${name} is old: run \`npm run pages\``);
    for (const [, from] of (theirs ?? "").matchAll(/(?:from|import)\s*\(?"([^"]+)"/g)) {
      assert.ok(made.some((other) => from === `./${other}`), `${name} needs ${from}`);
    }
  }
});
