// A whole client in some hundred lines: joins, acts, keeps the view the server's, and comes back where its connection is lost. Written from
// docs/PROTOCOL.md, which says what everything means. duel.js plays with it, and draws. Left out: renewing the token, more than one session.

import { after, digest } from "./view.js";

// First wait in ms, most, and which part of it is random: docs/PROTOCOL.md, "Close codes".
const [SOON, SPREAD, AT_ONCE, LATER] = [[300, 8_000, 0.5], [2_000, 15_000, 0.9], [0, 8_000, 0.5], [7_200, 400_000, 0.25]];
const BACK = { 1001: SOON, 1005: SOON, 1006: SOON, 1011: SPREAD, 1012: SPREAD, 1013: SPREAD, 4408: SOON, 4413: SPREAD, 4419: AT_ONCE, 4429: LATER };
// These statuses of a ticket are for good, and so are these answers to a `join`.
const NO_TICKET = [400, 401, 403, 404, 409, 410];
const NO_ENTRY = ["no_session", "not_a_participant", "session_ended", "unauthorized", "forbidden", "session_elsewhere", "too_many_sessions", "wrong_type"];
const LEFT = { asked: 1000, replaced: 4409, removed: 4403, ended: 4410 };

const median = (values) => values.sort((one, other) => one - other)[values.length >> 1];

export async function post(path, token, body = {}) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.ok) return answer.json();
  throw Object.assign(new Error(`${path}: ${answer.status}`), { status: answer.status, waitMs: 1_000 * answer.headers.get("retry-after") });
}

export class Fight {
  /** `url` is for the first connection, where there is a ticket; `told` hears what happens. */
  constructor(token, session, url, told = () => {}) {
    Object.assign(this, { token, session, told, status: "connecting", view: null, isSound: true, stamp: { at: 0, time: 0 } });
    Object.assign(this, { pending: new Map(), pongs: [], lastId: 0, applied: 0, pings: 0, pingAt: 0, tries: 0 });
    this.ticker = setInterval(() => this.tick(), 100);
    this.open(url);
  }

  say(t, d = { s: this.s }) {
    this.socket.send(JSON.stringify({ t, d }));
  }

  act(order) {
    if (this.status !== "live" || this.pending.size >= 64) return;
    this.pending.set((this.lastId += 1), order);
    this.say("action", { s: this.s, id: this.lastId, ...order });
  }

  /** For good. */
  close(code = 1000) {
    Object.assign(this, { status: "closed", code });
    clearInterval(this.ticker);
    this.told("closed", { code });
    this.socket?.close();
  }

  /** How far the server's clock is ahead of this one, and how long a message is on its way, by the quicker half of the pongs. */
  clock() {
    const trip = median(this.pongs.map((pong) => pong.trip));
    return { offset: median(this.pongs.filter((pong) => pong.trip <= trip).map((pong) => pong.offset)), latency: trip / 2 };
  }

  /** Session time. */
  now() {
    const { at, time } = this.stamp;
    if (this.view?.phase.status === "paused") return at;
    return Math.max(at, at + Date.now() + (this.clock().offset ?? time - Date.now()) - time);
  }

  join() {
    Object.assign(this, { status: "joining", joinAt: Infinity, joinedAt: Date.now() });
    // What is undefined is not said.
    this.say("join", { session: this.session, seq: this.isSound ? this.seq : undefined, epoch: this.epoch, rules: this.rules?.hash });
  }

  /** The view is not the server's; where it was at its sequence it is sound, and deltas can mend it. */
  drift(isSound) {
    Object.assign(this, { status: "joining", isSound, joinAt: this.joinedAt + 1_000 });
    this.told("drift", {});
  }

  hear({ t, d }) {
    if (d.at !== undefined) this.stamp = d;
    if (t === "joined") {
      Object.assign(this, { s: d.s, slot: d.slot, team: d.team, rules: d.rules ?? this.rules, epoch: d.epoch, lastId: Math.max(this.lastId, d.last_id) });
      if (d.resume === "deltas" && this.view && this.isSound) this.status = "live";
      // They may have been done: then the first answer comes again.
      this.pending.forEach((order, id) => this.say("action", { s: d.s, id, ...order }));
    } else if (t === "snapshot") {
      if (![null, d.h].includes(digest(d.view))) return this.drift(false);
      Object.assign(this, { status: "live", isSound: true, view: d.view, seq: d.q, epoch: d.epoch, applied: d.id, at: d.at });
      if (d.missed) this.told("missed", d.missed);
    } else if (t === "delta") {
      if (this.status !== "live") return;
      if (d.q !== this.seq + 1) return this.drift(this.isSound);
      let view;
      try {
        view = after(this.view, d);
      } catch {
        return this.drift(false);
      }
      if (d.h !== undefined && ![null, d.h].includes(digest(view))) return this.drift(false);
      Object.assign(this, { view, seq: d.q, applied: d.id, at: d.at });
    } else if (t === "ack" || t === "refused" || t === "forgotten") {
      // It is sent again after the next `joined`; or it was answered before.
      if (d.reason === "not_joined" || (!this.pending.delete(d.id) && !(t === "refused" && d.id === 0))) return;
      this.lastId = Math.max(this.lastId, d.last_id ?? 0);
    } else if (t === "pong") {
      this.heard = Date.now();
      this.pongs = [...this.pongs, { trip: this.heard - d.n, offset: d.time - (d.n + this.heard) / 2 }].slice(-15);
      return;
    } else if (t !== "result" && t !== "left" && t !== "error") return;
    this.told(d.reason === "rolled_back" ? d.reason : t, d);
    d.ev?.forEach((event) => this.told("event", event));
    if (t === "left" && d.why === "moved") this.join();
    else if (t === "left") this.close(LEFT[d.why] ?? null);
    else if (t === "error" && d.reason !== "rolled_back" && (d.re ?? "join") === "join" && this.status === "joining") {
      this.joinAt = Date.now() + Math.max(1_000, d.retry_ms ?? 0);
      if (NO_ENTRY.includes(d.reason)) this.close(null);
    }
  }

  tick() {
    const now = Date.now();
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (now >= this.joinAt) this.join();
    if (now >= this.pingAt) {
      this.pingAt = now + ((this.pings += 1) < 5 ? 300 : 2_000);
      this.say("ping", { n: now });
    }
    if (now > this.heard + 10_000) this.lost(1006, this.socket.close());
  }

  async open(url) {
    [this.status, this.began] = ["connecting", Date.now()];
    try {
      url ??= (await post(`/sessions/${this.session}/tickets`, this.token)).url;
    } catch ({ status, waitMs }) {
      return this.lost(NO_TICKET.includes(status) ? status : 1006, waitMs);
    }
    if (this.status === "closed") return;
    const socket = (this.socket = new WebSocket(url, "tiltyard.v2.json"));
    socket.onopen = () => {
      Object.assign(this, { heard: Date.now(), pings: 0, pingAt: 0 });
      this.join();
    };
    socket.onmessage = ({ data }) => this.socket === socket && this.status !== "closed" && this.hear(JSON.parse(data));
    socket.onclose = ({ code }) => this.socket === socket && this.lost(code);
  }

  lost(code, waitMs = 0) {
    this.socket = null;
    if (this.status === "closed") return;
    if (!BACK[code]) return this.close(code);
    this.status = "waiting";
    if (Date.now() - this.began > 5_000) this.tries = 0;
    const [first, most, share] = BACK[code][0] || !this.tries ? BACK[code] : SOON;
    const ms = Math.min(most, first * 2 ** this.tries) * (1 - share * Math.random());
    this.tries += 1;
    setTimeout(() => this.status === "waiting" && this.open(), Math.max(waitMs, ms));
  }
}
