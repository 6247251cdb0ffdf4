#!/usr/bin/env python3
"""A whole client in some hundred lines: takes a seat in a duel, walks, attacks, and comes back where its connection is lost.

    pip install websockets
    python3 client.py http://127.0.0.1:8080        # twice, and they fight each other

Written from docs/PROTOCOL.md, which says what everything means. Left out: digests, fog, renewing the token, more than one session.
"""
import json, random, statistics, sys, time, urllib.error, urllib.request
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect

BASE = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
# First wait, most, and which part of it is random: docs/PROTOCOL.md, "Close codes".
SOON, SPREAD, AT_ONCE, LATER = (0.3, 8, 0.5), (2, 15, 0.9), (0, 8, 0.5), (7.2, 400, 0.25)
BACK = {1001: SOON, 1005: SOON, 1006: SOON, 1011: SPREAD, 1012: SPREAD, 1013: SPREAD, 4408: SOON, 4413: SPREAD, 4419: AT_ONCE, 4429: LATER}


def post(path, token=None, body=None):
    heads = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(BASE + path, json.dumps(body or {}).encode(), heads, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class Fight:
    def __init__(self):
        self.token = post("/guest")["token"]
        seat = post("/arena/seats", self.token, {"kind": "duel"})
        self.session, self.url = seat["session_id"], seat["url"]
        self.known, self.rules, self.view, self.result = {}, None, None, None
        self.last_id, self.pending, self.pongs, self.stamp = 0, {}, [], (0, 0)

    def say(self, t, **d):
        self.socket.send(json.dumps({"t": t, "d": d}))

    def act(self, **order):
        self.last_id += 1
        self.pending[self.last_id] = order
        self.say("action", s=self.s, id=self.last_id, **order)

    def place(self):
        """Where I am: where I have gone already, as far as the server has neither shown nor refused that."""
        ahead = [order for order in self.pending.values() if order["kind"] == "move"]
        return (ahead or [self.view["participants"][self.slot]])[-1]

    def now(self):
        """Session time, by the quicker half of the pongs."""
        (at, server_time), trip = self.stamp, statistics.median(trip for trip, _ in self.pongs)
        offset = statistics.median(offset for one, offset in self.pongs if one <= trip)
        return max(at, at + time.time() * 1000 + offset - server_time)

    def hear(self, t, d):
        if "at" in d:
            self.stamp = (d["at"], d["time"])
        if t == "joined":
            print("resumed" if self.known else "joined", "as", d["slot"], flush=True)
            self.s, self.slot, self.rules = d["s"], d["slot"], d.get("rules", self.rules)
            self.last_id, self.live = max(self.last_id, d["last_id"]), True
            for id, order in self.pending.items():  # They may have been done: then the first answer comes again.
                self.say("action", s=self.s, id=id, **order)
        elif t == "snapshot":
            self.view, self.known = d["view"], {"seq": d["q"], "epoch": d["epoch"], "rules": self.rules["hash"]}
            if self.view["phase"]["phase"] == "preparation":
                self.say("ready", s=self.s)
        elif t == "delta":
            self.known["seq"], everybody = d["q"], self.view["participants"]
            del everybody[d.get("n", 255):]
            for patch in d.get("p", []):
                if patch["i"] == len(everybody):
                    everybody.append({})
                everybody[patch["i"]] |= patch
            self.view["phase"] = d.get("ph", self.view["phase"])
        elif t in ("ack", "refused", "forgotten"):
            self.pending.pop(d["id"], None)
            print(t, d["id"], d.get("reason", ""), flush=True)
        elif t == "pong":
            received = time.time() * 1000
            self.pongs = (self.pongs + [(received - d["n"], d["time"] - (d["n"] + received) / 2)])[-15:]
        elif t == "result":
            self.result = d

    def play(self):
        """Over one connection, to its end."""
        with connect(self.url, subprotocols=["tiltyard.v2.json"], compression=None) as self.socket:
            self.say("join", session=self.session, **self.known)
            ping_at = move_at = attack_at = self.live = 0
            while self.result is None:
                try:
                    message = json.loads(self.socket.recv(timeout=0.02))
                    self.hear(message["t"], message["d"])
                except TimeoutError:
                    pass
                now = time.time() * 1000
                if now >= ping_at:
                    ping_at = now + (300 if len(self.pongs) < 5 else 2000)
                    self.say("ping", n=int(now))
                if self.live and self.pongs and self.view and self.view["phase"]["phase"] == "active" and len(self.pending) < 60:
                    if now >= move_at:  # Up and down, half as fast as the rules allow.
                        move_at, step, here = now + 100, self.rules["speed_cm_per_s"] // 20, self.place()
                        self.act(kind="move", x=here["x"], y=here["y"] + (step if self.now() % 4000 < 2000 else -step))
                    if now >= attack_at:
                        attack_at = now + self.rules["attack_interval_ms"]
                        self.act(kind="attack", to=1 - self.slot)
        print("result", self.result["reason"], "winner", self.result.get("winner"), flush=True)

    def run(self):
        tries = 0
        while True:
            began, code = time.time(), 1006
            try:
                self.url = self.url or post(f"/sessions/{self.session}/tickets", self.token)["url"]
                return self.play()
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
            except urllib.error.HTTPError as refused:
                code = 1006 if refused.code in (429, 503) else refused.code  # No ticket: for now, or for good.
            except (OSError, InvalidHandshake):
                pass  # Nobody is there, or not yet.
            self.url = None  # A ticket is good once.
            if code not in BACK:
                sys.exit(f"closed with {code}")
            tries = 0 if time.time() - began > 5 else tries
            first, most, share = BACK[code] if BACK[code][0] or not tries else SOON
            time.sleep(min(most, first * 2**tries) * (1 - share * random.random()))
            tries += 1


Fight().run()
