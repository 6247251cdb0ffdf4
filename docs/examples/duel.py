#!/usr/bin/env python3
"""Takes a seat in a duel, walks up and down, and attacks.

    python3 duel.py http://127.0.0.1:8080        # twice, and they fight each other
"""
import sys, time
from client import Fight, post

base = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
token = post(base, "/guest")["token"]
seat = post(base, "/arena/seats", token, {"kind": "duel"})
next_move = next_attack = 0


def told(t, d):
    if t == "joined":
        print("resumed" if fight.view else "joined", "as", d["slot"], flush=True)
    elif t == "snapshot" and d["view"]["phase"]["phase"] == "preparation":
        fight.ask("ready")
    elif t in ("ack", "refused", "forgotten"):
        print(t, d["id"], d.get("reason", ""), flush=True)
    elif t == "result":
        print("result", d["reason"], "winner", d.get("winner"), flush=True)
        fight.close()


def place():
    """Where I am: where I have gone already, as far as the server has neither shown nor refused that."""
    ahead = [order for order in fight.pending.values() if order["kind"] == "move"]
    return (ahead or [fight.view["participants"][fight.slot]])[-1]


def tick(fight):
    global next_move, next_attack
    if fight.status != "live" or not fight.pongs or fight.view["phase"]["phase"] != "active":
        return
    if time.time() >= next_move:  # Half as fast as the rules allow.
        next_move, step, here = time.time() + 0.1, fight.rules["speed_cm_per_s"] // 20, place()
        fight.act(kind="move", x=here["x"], y=here["y"] + (step if fight.now() % 4000 < 2000 else -step))
    if time.time() >= next_attack:
        next_attack = time.time() + fight.rules["attack_interval_ms"] / 1000
        fight.act(kind="attack", to=1 - fight.slot)


fight = Fight(base, token, seat["session_id"], seat["url"], told)
fight.run(tick)
if fight.code != 1000:
    sys.exit(f"closed with {fight.code}")
