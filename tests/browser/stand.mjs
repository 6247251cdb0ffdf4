// A stand-in for the server: the page's files, a seat for whoever asks, and a socket that the test speaks through. What
// the page shows of a fight can then be tried in any fight that can be thought of.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { Feed, SESSION } from "./scenes.mjs";

const WEB = fileURLToPath(new URL("../../web/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** The page's socket: what it says is kept, what it hears comes from the test. Pings are answered, on the clock of the first message. */
const SOCKET = `
export function openSocket(url, protocol) {
  const said = [];
  let ahead;
  const hear = (t, d) => {
    ahead ??= d.time && d.time - performance.now();
    socket.onmessage({ data: JSON.stringify({ t, d }), at: performance.now() });
  };
  const send = (text) => {
    const message = JSON.parse(text);
    said.push(message);
    if (message.t === "ping") {
      queueMicrotask(() => hear("pong", { n: message.d.n, time: ahead + performance.now() }));
    }
  };
  const socket = { protocol, send, close: () => {} };
  window.stand = { said, hear };
  queueMicrotask(() => socket.onopen());
  return socket;
}`;

const ANSWERS = {
  "/guest": { token: "t", player_id: "p", expires_at: "" },
  "/arena/seats": { session_id: SESSION, slot: 0, seats: 2, ticket: "t", url: "ws://stand/ws", expires_at: "" },
  "/health": { status: "healthy", timestamp: "" },
  "/rulesets": { rulesets: [{ name: "default", title: "As usual", kinds: ["duel", "brawl", "solo", "coop", "arena"] }] },
};

/** Serves the page; `close` ends it. */
export async function stand() {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://stand");
    if (ANSWERS[pathname]) {
      response.setHeader("content-type", "application/json").end(JSON.stringify(ANSWERS[pathname]));
      return;
    }
    const name = normalize(pathname === "/" ? "/index.html" : pathname);
    try {
      const body = name === "/arena/socket.js" ? SOCKET : await readFile(join(WEB, name));
      response.setHeader("content-type", TYPES[extname(name)] ?? "application/octet-stream").end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  return { url, close: () => new Promise((resolve) => server.close(resolve)) };
}

/** Takes a seat on `page` in a fight of `kind` and answers with the feed that its socket hears. */
export async function seated(page, kind = "duel") {
  await page.waitForFunction(() => window.tiltyard?.ready);
  await page.evaluate((id) => document.getElementById(id).click(), kind);
  await page.waitForFunction(() => window.tiltyard.game.link.name === "joining");
  return new Feed((t, d) => page.evaluate(([type, data]) => window.stand.hear(type, data), [t, d]));
}

/** What the page has said of `type`. */
export const said = (page, type) =>
  page.evaluate((t) => window.stand.said.filter((message) => message.t === t).map(({ d }) => d), type);
