// A whole client in some hundred lines: takes a seat in a duel, walks, attacks, draws, and comes back where its connection is lost. Written from
// docs/PROTOCOL.md, which says what everything means. Left out: digests, fog, renewing the token, more than one session.

const BASE = location.origin;
/** Drawn so far in the past, so that there are two places to draw between. */
const PAST_MS = 150;
// First wait in ms, most, and which part of it is random: docs/PROTOCOL.md, "Close codes".
const [SOON, SPREAD, AT_ONCE, LATER] = [[300, 8_000, 0.5], [2_000, 15_000, 0.9], [0, 8_000, 0.5], [7_200, 400_000, 0.25]];
const BACK = { 1001: SOON, 1005: SOON, 1006: SOON, 1011: SPREAD, 1012: SPREAD, 1013: SPREAD, 4408: SOON, 4413: SPREAD, 4419: AT_ONCE, 4429: LATER };

let socket, s, slot, rules, view, result, token, session;
let [seq, epoch, lastId, tries, live, stamp, pongs] = [undefined, undefined, 0, 0, false, { at: 0, time: 0 }, []];
const [pending, keys, tracks] = [new Map(), new Set(), []];

const tell = (line) => (document.querySelector("#told").textContent += `${line}\n`);
const say = (t, d) => socket.send(JSON.stringify({ t, d }));
const median = (values) => values.sort((one, other) => one - other)[values.length >> 1];

async function post(path, body = {}) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(BASE + path, { method: "POST", headers, body: JSON.stringify(body) });
  return answer.ok ? answer.json() : { status: answer.status };
}

function act(order) {
  if (live && pending.size < 60) {
    pending.set((lastId += 1), order);
    say("action", { s, id: lastId, ...order });
  }
}

/** Session time, by the quicker half of the pongs. */
function now() {
  const trip = median(pongs.map((pong) => pong.trip));
  const offset = median(pongs.filter((pong) => pong.trip <= trip).map((pong) => pong.offset)) ?? stamp.time - Date.now();
  return Math.max(stamp.at, stamp.at + Date.now() + offset - stamp.time);
}

/** Where to draw that one: oneself where one has gone already, the others a moment ago, between two places that were told. */
function place(i) {
  if (i === slot) return [...pending.values()].findLast(({ kind }) => kind === "move") ?? view.participants[i];
  const [at, track] = [now() - PAST_MS, tracks[i]];
  const next = track.findIndex((mark) => mark.at > at);
  if (next < 1) return track.at(next) ?? view.participants[i];
  const [from, to] = [track[next - 1], track[next]];
  const share = (at - from.at) / (to.at - from.at);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function hear({ t, d }) {
  if (d.at !== undefined) stamp = { at: d.at, time: d.time };
  if (t === "joined") {
    tell(`${seq === undefined ? "joined" : "resumed"} as ${d.slot}`);
    [s, slot, rules, epoch, live, lastId] = [d.s, d.slot, d.rules ?? rules, d.epoch, true, Math.max(lastId, d.last_id)];
    // They may have been done: then the first answer comes again.
    pending.forEach((order, id) => say("action", { s, id, ...order }));
  } else if (t === "snapshot") {
    [view, seq, epoch] = [d.view, d.q, d.epoch];
    view.participants.forEach(({ x, y }, i) => (tracks[i] = [{ at: d.at, x, y }]));
    if (view.phase.phase === "preparation") say("ready", { s });
  } else if (t === "delta") {
    seq = d.q;
    view.participants.length = Math.min(view.participants.length, d.n ?? Infinity);
    for (const patch of d.p ?? []) {
      const who = (view.participants[patch.i] = { ...view.participants[patch.i], ...patch });
      const [track, stood] = [(tracks[patch.i] ??= []), { ...tracks[patch.i]?.at(-1), at: d.at - 250 }];
      if (patch.player) track.length = 0;
      // Who was silent for longer was standing until a moment ago.
      else if (patch.x !== undefined && stood.at > track.at(-1).at) track.push(stood);
      if (patch.x !== undefined) track.push({ at: d.at, x: who.x, y: who.y });
      track.splice(0, track.length - 32);
    }
    view.phase = d.ph ?? view.phase;
  } else if (t === "ack" || t === "refused" || t === "forgotten") {
    pending.delete(d.id);
    tell(`${t} ${d.id} ${d.reason ?? ""}`);
  } else if (t === "pong") {
    const received = Date.now();
    pongs = [...pongs, { trip: received - d.n, offset: d.time - (d.n + received) / 2 }].slice(-15);
  } else if (t === "result") {
    result = d;
    tell(`result ${d.reason} winner ${d.winner}`);
  }
}

async function open(url) {
  const began = Date.now();
  const ticket = url ? { url } : await post(`/sessions/${session}/tickets`).catch(() => ({ status: 503 }));
  // No ticket: for now, or for good.
  if (!ticket.url) return ticket.status === 429 || ticket.status === 503 ? comeBack(1006, began) : tell(`no ticket: ${ticket.status}`);
  socket = new WebSocket(ticket.url, "tiltyard.v2.json");
  socket.onopen = () => say("join", { session, ...(seq !== undefined && { seq, epoch, rules: rules.hash }) });
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = ({ code }) => comeBack(code, began);
}

function comeBack(code, began) {
  live = false;
  if (result || !BACK[code]) return tell(`closed with ${code}`);
  if (Date.now() - began > 5_000) tries = 0;
  const [first, most, share] = BACK[code][0] || !tries ? BACK[code] : SOON;
  setTimeout(open, Math.min(most, first * 2 ** tries++) * (1 - share * Math.random()));
}

function draw() {
  requestAnimationFrame(draw);
  if (!view) return;
  const brush = document.querySelector("#field").getContext("2d");
  const scale = 900 / rules.field.width_cm;
  brush.clearRect(0, 0, 900, 600);
  view.participants.forEach(({ hp }, i) => {
    const { x, y } = place(i);
    brush.fillStyle = i === slot ? "green" : "red";
    brush.fillRect(x * scale - 10, y * scale - 10, 20, 20);
    brush.fillText(hp, x * scale - 10, y * scale - 14);
  });
}

/** Ten times a second: a step with the keys that are held, a little slower than the rules allow. */
function walk() {
  const [x, y] = [["ArrowLeft", "ArrowRight"], ["ArrowUp", "ArrowDown"]].map(([back, on]) => keys.has(on) - keys.has(back));
  if (view?.phase.phase !== "active" || (x === 0 && y === 0)) return;
  const [me, step] = [place(slot), (rules.speed_cm_per_s * 0.09) / Math.hypot(x, y)];
  act({ kind: "move", x: Math.round(me.x + x * step), y: Math.round(me.y + y * step) });
}

onkeydown = ({ key }) => keys.add(key) && key === " " && act({ kind: "attack", to: 1 - slot });
onkeyup = ({ key }) => keys.delete(key);
setInterval(walk, 100);
setInterval(() => live && say("ping", { n: Date.now() }), 1_000);
({ token } = await post("/guest"));
const seat = await post("/arena/seats", { kind: "duel" });
session = seat.session_id;
await open(seat.url);
draw();
