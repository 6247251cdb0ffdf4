// Puts what the sources compile to where the server's own pages have it: `npm run pages`. The pages speak JSON and have no packages, so
// that of MessagePack, which needs one, stays out.

import { copyFileSync, mkdirSync, readdirSync, rmSync } from "node:fs";

const dist = new URL("dist/", import.meta.url);
const pages = new URL("../../web/client/", import.meta.url);

rmSync(pages, { recursive: true, force: true });
mkdirSync(pages);
for (const name of readdirSync(dist)) {
  if (name.endsWith(".js") && name !== "msgpack.js") {
    copyFileSync(new URL(name, dist), new URL(name, pages));
  }
}
