// A duel between two guests: start it twice with the address of a server, as in `node fight.mjs http://127.0.0.1:8080`.
import { Hub } from "@tiltyard/client";

const hub = new Hub(process.argv[2] ?? "http://127.0.0.1:8080");
const guest = await hub.guest();
const seat = await hub.seat(guest.token, { kind: "duel" });
const fight = hub.play(guest, seat);

fight.on("joined", () => fight.ready());
fight.on("status", (status) => console.log(status));
fight.on("event", ({ k, by, to, n }) => k === "hit" && console.log(`${by} hits ${to} for ${n}`));

const turns = setInterval(async () => {
  if (fight.status !== "live" || fight.view.phase.phase !== "active") return;
  const me = fight.place(fight.slot);
  fight.move(me.x, me.y + fight.speed / 10);
  const answer = await fight.attack(1 - fight.slot).answer;
  if (answer.kind === "refused") console.log(`not now: ${answer.reason}`);
}, 200);

const result = await fight.over;
clearInterval(turns);
console.log(result?.winner === fight.slot ? "won" : "lost");
fight.close();
