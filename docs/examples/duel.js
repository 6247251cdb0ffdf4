// Takes a seat in a duel, draws it, walks with the arrow keys and attacks with space.

import { Fight, post } from "./client.js";

/** Others are drawn so far in the past, so that there are two places to draw between. */
const PAST_MS = 150;
const [keys, tracks] = [new Set(), []];
const print = (line) => (document.querySelector("#told").textContent += `${line}\n`);

function told(t, d) {
  if (t === "joined") print(`${fight?.view ? "resumed" : "joined"} as ${d.slot}`);
  if (t === "snapshot") d.view.participants.forEach(({ x, y }, i) => (tracks[i] = [{ at: d.at, x, y }]));
  if (t === "snapshot" && d.view.phase.phase === "preparation") fight.say("ready");
  if (t === "delta") d.p?.forEach((patch) => follow(patch, d.at));
  if (t === "ack" || t === "refused" || t === "forgotten") print(`${t} ${d.id} ${d.reason ?? ""}`);
  if (t === "result") print(`result ${d.reason} winner ${d.winner}`);
  if (t === "closed") print(`closed with ${d.code}`);
}

/** Keeps the places that one was at. */
function follow({ i, player, x }, at) {
  const [track, stood] = [(tracks[i] ??= []), { ...tracks[i].at(-1), at: at - 250 }];
  if (player) track.length = 0;
  // Who was silent for longer was standing until a moment ago.
  else if (x !== undefined && stood.at > track.at(-1)?.at) track.push(stood);
  if (x !== undefined) track.push({ at, x, y: fight.view.participants[i].y });
  track.splice(0, track.length - 32);
}

/** Where to draw that one: oneself where one has gone already, the others a moment ago, between two places that were told. */
function place(i) {
  const { slot, pending, view } = fight;
  if (i === slot) return [...pending.values()].findLast(({ kind }) => kind === "move") ?? view.participants[i];
  const [at, track] = [fight.now() - PAST_MS, tracks[i]];
  const next = track.findIndex((mark) => mark.at > at);
  if (next < 1) return track.at(next) ?? view.participants[i];
  const [from, to] = [track[next - 1], track[next]];
  const share = (at - from.at) / (to.at - from.at);
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function draw() {
  requestAnimationFrame(draw);
  if (!fight.view) return;
  const brush = document.querySelector("#field").getContext("2d");
  const scale = 900 / fight.rules.field.width_cm;
  brush.clearRect(0, 0, 900, 600);
  fight.view.participants.forEach(({ hp }, i) => {
    const { x, y } = place(i);
    brush.fillStyle = i === fight.slot ? "green" : "red";
    brush.fillRect(x * scale - 10, y * scale - 10, 20, 20);
    brush.fillText(hp, x * scale - 10, y * scale - 14);
  });
}

/** Ten times a second: a step with the keys that are held, a little slower than the rules allow. */
function walk() {
  const [x, y] = [["ArrowLeft", "ArrowRight"], ["ArrowUp", "ArrowDown"]].map(([back, on]) => keys.has(on) - keys.has(back));
  if (fight.view?.phase.phase !== "active" || (x === 0 && y === 0)) return;
  const [me, step] = [place(fight.slot), (fight.rules.speed_cm_per_s * 0.09) / Math.hypot(x, y)];
  fight.act({ kind: "move", x: Math.round(me.x + x * step), y: Math.round(me.y + y * step) });
}

const { token } = await post("/guest");
const seat = await post("/arena/seats", token, { kind: "duel" });
const fight = new Fight(token, seat.session_id, seat.url, told);
onkeydown = ({ key }) => keys.add(key) && key === " " && fight.act({ kind: "attack", to: 1 - fight.slot });
onkeyup = ({ key }) => keys.delete(key);
setInterval(walk, 100);
draw();
