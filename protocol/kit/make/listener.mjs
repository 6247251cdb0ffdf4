// What a client must have told the program after each step of a case: once, in this order, and nothing else. Written from
// docs/PROTOCOL.md and from no client, as reference.mjs is.

import { after, digest } from "./reference.mjs";

/** After these close codes a client comes back. */
const COMES_BACK = [1001, 1005, 1006, 1011, 1012, 1013, 4408, 4413, 4419, 4429];
/** Answers to a `join` that another try would not change. */
const FOR_GOOD = ["no_session", "not_a_participant", "session_ended", "unauthorized", "forbidden", "session_elsewhere", "too_many_sessions"];
/** The code that says the same as `left` with that `why`. */
const LEFT = { asked: 1000, replaced: 4409, removed: 4403, ended: 4410 };
/** Words that no client knows: each may tell them in its own way. */
const UNKNOWN = ["sneezed", "ascended", "bad_hair", "mercury_in_retrograde", "transcended", "teleported"];
const EVENT = ["k", "by", "to", "n", "crit", "guarded", "a", "e", "c", "z", "st", "until", "react", "abs", "enemy", "team", "why"];

const known = ([, value]) => value !== undefined && !UNKNOWN.includes(value);
const only = (d, fields) => Object.fromEntries(fields.map((field) => [field, d[field]]).filter(known));
const without = (d, fields) => Object.fromEntries(Object.entries(d).filter(([field]) => !fields.includes(field)).filter(known));

/** A session as a client has it that does what it must. */
class Session {
  told = [];
  s = null;
  isClosed = false;
  /** Of a fight: whether the view is the server's, and whether it was at its sequence. */
  isCurrent = false;
  isSound = true;
  view = null;
  q = 0;
  version = 0;
  /** Ids that have no answer, but of beats that nobody asked for; and how many were asked for and not sent yet. */
  waits = new Set();
  asked = 0;
  #lastId = 0;

  constructor(id, type = "combat") {
    this.id = id;
    this.type = type;
  }

  tell(t, d = {}) {
    this.told.push(Object.keys(d).length > 0 ? { t, d } : { t });
  }

  /** The client says something that is answered by its id. */
  says(t, { id = this.#lastId + 1 }) {
    this.#lastId = Math.max(this.#lastId, id);
    const isOwn = t === "beat" && this.asked === 0;
    if (t !== "action" && !isOwn) this.asked -= 1;
    if (!isOwn) this.waits.add(id);
  }

  /** Out of the session, perhaps for a while. What is asked for in one that is no fight is not asked for again: that is told first. */
  out() {
    this.s = null;
    this.isCurrent = false;
    if (this.type !== "combat") {
      for (const _ of this.waits) this.tell("unanswered");
      this.waits.clear();
    }
  }

  close(code) {
    this.out();
    this.isClosed = true;
    this.tell("closed", code === undefined ? {} : { code });
  }

  joined(d) {
    if ((d.type ?? "combat") !== this.type) {
      this.tell("error", { reason: "wrong_type" });
      return this.close();
    }
    this.s = d.s;
    this.isCurrent = this.type !== "combat" || (d.resume === "deltas" && this.isSound && this.view !== null);
    this.version = d.version;
    this.tell("joined", only(d, ["type"]));
    if (this.type === "player") this.tell("beat");
  }

  /** A message that names the session by its handle. */
  hears(t, d) {
    const tellings = this[`hears_${t}`];
    if (tellings !== undefined) tellings.call(this, d);
  }

  hears_snapshot(d) {
    if (digest(d.view) !== d.h) return this.#drifts(false);
    Object.assign(this, { view: d.view, q: d.q, isSound: true, isCurrent: true });
    if (d.missed) this.tell("missed", d.missed);
    this.tell("snapshot");
  }

  hears_delta(d) {
    if (!this.isCurrent) return;
    if (d.q !== this.q + 1) return this.#drifts(this.isSound);
    let view;
    try {
      view = after(this.view, d);
    } catch {
      return this.#drifts(false);
    }
    if (d.h !== undefined && hasCodes(view) && digest(view) !== d.h) return this.#drifts(false);
    Object.assign(this, { view, q: d.q });
    this.tell("delta", { q: d.q });
    for (const event of d.ev ?? []) this.tell("event", only(event, EVENT));
  }

  #drifts(isSound) {
    Object.assign(this, { isSound, isCurrent: false });
    this.tell("drift");
  }

  hears_ack(d) {
    if (this.type === "player") {
      if (this.waits.delete(d.id)) this.tell("ack");
      return this.tell("beat");
    }
    if (this.waits.delete(d.id)) this.tell("ack", without(d, this.type === "combat" ? ["s"] : ["s", "id"]));
  }

  hears_refused(d) {
    const isWaiting = this.waits.delete(d.id);
    if (isWaiting || (d.id === 0 && this.type === "combat")) this.tell("refused", without(d, this.type === "combat" ? ["s"] : ["s", "id"]));
  }

  hears_forgotten(d) {
    if (this.waits.delete(d.id)) this.tell("forgotten", without(d, ["s"]));
  }

  hears_result(d) {
    this.tell("result", without(d, ["s", "at", "time"]));
  }

  hears_state(d) {
    if (!this.isCurrent || d.version <= this.version) return;
    if (d.state === undefined && d.version !== this.version + 1) {
      this.isCurrent = false;
      return;
    }
    this.version = d.version;
    this.tell("state", only(d, ["version", "by"]));
  }

  hears_relayed(d) {
    this.tell("relayed", only(d, ["n", "from", "data"]));
  }

  hears_missed(d) {
    this.tell("missed", without(d, ["s"]));
  }

  hears_presence(d) {
    this.tell("presence", only(d, ["player", "why"]));
  }

  hears_left(d) {
    this.out();
    this.tell("left", only(d, ["why"]));
    if (d.why !== "moved") this.close(LEFT[d.why]);
  }
}

/** Whether every word of a view has a code for the digest. */
function hasCodes(view) {
  try {
    digest(view);
    return true;
  } catch {
    return false;
  }
}

export class Listener {
  #sessions = new Map();
  /** Whose `join` has no answer. */
  #joining = null;

  of(session) {
    return this.#sessions.get(session);
  }

  /** What is to be told of a session since this was last asked. */
  take(session) {
    return this.of(session).told.splice(0);
  }

  /** Sessions of which there is something to be told. */
  get loud() {
    return [...this.#sessions.values()].filter(({ told }) => told.length > 0).map(({ id }) => id);
  }

  /** Follows a step; `first` is the session of steps that name none. */
  step(step, first) {
    if (step.do !== undefined) this.#does(step, this.#sessions.get(step.in ?? first));
    else if (step.dials !== undefined) this.#open.forEach((session) => session.out());
    else if (step.client !== undefined) this.#says(step.client);
    else if (step.server !== undefined) this.#hears(step.server);
    else if (step.server_closes !== undefined) this.#loses(step.server_closes);
  }

  get #open() {
    return [...this.#sessions.values()].filter(({ isClosed }) => !isClosed);
  }

  #does({ do: verb, session, as }, of) {
    if (verb === "connect" || verb === "join") this.#sessions.set(session, new Session(session, as));
    else if (["patch", "relay", "beat"].includes(verb)) of.asked += 1;
    else if (verb === "close") of.close(1000);
  }

  #says({ t, d }) {
    if (t === "join") this.#joining = this.#sessions.get(d.session);
    else if (["action", "patch", "relay", "beat"].includes(t)) this.#open.find(({ s }) => s === d.s).says(t, d);
  }

  #hears({ t, d }) {
    if (t === "joined") {
      const session = this.#sessions.get(d.session);
      if (session === this.#joining) this.#joining = null;
      session.joined(d);
    } else if (t === "renewed") {
      this.#open.forEach((session) => session.tell("renewed", only(d, ["left_ms"])));
    } else if (t === "error") {
      this.#errs(d);
    } else {
      this.#open.find(({ s }) => s !== null && s === d.s)?.hears(t, d);
    }
  }

  /** An `error` is told of the session that it is about, or of all where that is not known. */
  #errs(d) {
    const told = d.reason === "rolled_back" ? ["rolled_back", only(d, ["rolled_back"])] : ["error", only(d, ["reason"])];
    const joining = (d.re ?? "join") === "join" ? (this.#sessions.get(d.session) ?? this.#joining) : null;
    const about = joining ?? this.#open.find(({ s }) => s !== null && s === d.s);
    (about ? [about] : this.#open).forEach((session) => session.tell(...told));
    if (joining && FOR_GOOD.includes(d.reason)) joining.close();
    if (joining && d.reason !== "rolled_back") this.#joining = null;
  }

  #loses(code) {
    this.#joining = null;
    for (const session of this.#open) {
      if (COMES_BACK.includes(code)) session.out();
      else session.close(code);
    }
  }
}
