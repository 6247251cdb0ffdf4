"""A whole client in some hundred lines: joins, acts, keeps the view the server's, and comes back where its connection is lost.

    pip install websockets

Written from docs/PROTOCOL.md, which says what everything means. duel.py plays with it. Left out: renewing the token, more than one session, drawing.
"""
import json, random, statistics, time, urllib.error, urllib.request
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect
from view import after, digest

# First wait, most, and which part of it is random: docs/PROTOCOL.md, "Close codes".
SOON, SPREAD, AT_ONCE, LATER = (0.3, 8, 0.5), (2, 15, 0.9), (0, 8, 0.5), (7.2, 400, 0.25)
BACK = {1001: SOON, 1005: SOON, 1006: SOON, 1011: SPREAD, 1012: SPREAD, 1013: SPREAD, 4408: SOON, 4413: SPREAD, 4419: AT_ONCE, 4429: LATER}
NO_TICKET = [400, 401, 403, 404, 409, 410]  # These statuses are for good, and so are these answers to a `join`.
NO_ENTRY = ["no_session", "not_a_participant", "session_ended", "unauthorized", "forbidden", "session_elsewhere", "too_many_sessions", "wrong_type"]
LEFT = {"asked": 1000, "replaced": 4409, "removed": 4403, "ended": 4410}


def post(base, path, token=None, body=None):
    heads = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(base + path, json.dumps(body or {}).encode(), heads, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class Fight:
    def __init__(self, base, token, session, url=None, told=lambda t, d: None):
        """`url` is for the first connection, where there is a ticket; `told` hears what happens."""
        self.base, self.token, self.session, self.url, self.told = base, token, session, url, told
        self.status, self.code, self.socket, self.last_id, self.applied, self.sound = "connecting", None, None, 0, 0, True
        self.s = self.slot = self.team = self.rules = self.view = self.seq = self.epoch = self.at = None
        self.pending, self.pongs, self.stamp = {}, [], (0, 0)

    def say(self, t, **d):
        self.socket.send(json.dumps({"t": t, "d": d}))

    def ask(self, t):
        """`ready`, `concede` or `leave`."""
        self.say(t, s=self.s)

    def act(self, **order):
        if self.status == "live" and len(self.pending) < 64:
            self.last_id += 1
            self.pending[self.last_id] = order
            self.say("action", s=self.s, id=self.last_id, **order)

    def close(self, code=1000):
        """For good."""
        self.status, self.code = "closed", code
        self.told("closed", {"code": code})
        if self.socket:
            self.socket.close()

    def clock(self):
        """How far the server's clock is ahead of this one, and how long a message is on its way, by the quicker half of the pongs."""
        trip = statistics.median(trip for trip, _ in self.pongs)
        return statistics.median(offset for one, offset in self.pongs if one <= trip), trip / 2

    def now(self):
        """Session time; there has to be a pong."""
        at, server_time = self.stamp
        return at if self.view["phase"]["status"] == "paused" else max(at, at + time.time() * 1000 + self.clock()[0] - server_time)

    def join(self):
        self.status, self.join_at, self.joined_at = "joining", None, time.time()
        has = {"seq": self.seq if self.sound else None, "epoch": self.epoch, "rules": self.rules and self.rules["hash"]}
        self.say("join", session=self.session, **{name: value for name, value in has.items() if value is not None})

    def drift(self, sound):
        """The view is not the server's; where it was at its sequence it is `sound`, and deltas can mend it."""
        self.status, self.sound, self.join_at = "joining", sound, max(time.time(), self.joined_at + 1)
        self.told("drift", {})

    def hear(self, t, d):
        if "at" in d:
            self.stamp = (d["at"], d["time"])
        if t == "joined":
            self.s, self.slot, self.team, self.rules = d["s"], d["slot"], d.get("team"), d.get("rules", self.rules)
            self.epoch, self.last_id = d["epoch"], max(self.last_id, d["last_id"])
            if d["resume"] == "deltas" and self.view and self.sound:
                self.status = "live"
            for id, order in self.pending.items():  # They may have been done: then the first answer comes again.
                self.say("action", s=self.s, id=id, **order)
        elif t == "snapshot":
            if digest(d["view"]) not in (None, d["h"]):
                return self.drift(sound=False)
            self.status, self.sound, self.view = "live", True, d["view"]
            self.seq, self.epoch, self.applied, self.at = d["q"], d["epoch"], d["id"], d["at"]
            if "missed" in d:
                self.told("missed", d["missed"])
        elif t == "delta":
            if self.status != "live":
                return
            if d["q"] != self.seq + 1:
                return self.drift(self.sound)
            try:
                view = after(self.view, d)
            except LookupError:
                return self.drift(sound=False)
            if "h" in d and digest(view) not in (None, d["h"]):
                return self.drift(sound=False)
            self.view, self.seq, self.applied, self.at = view, d["q"], d["id"], d["at"]
        elif t in ("ack", "refused", "forgotten"):
            if d.get("reason") == "not_joined" or (self.pending.pop(d["id"], None) is None and (t, d["id"]) != ("refused", 0)):
                return  # It is sent again after the next `joined`; or it was answered before.
            self.last_id = max(self.last_id, d.get("last_id", 0))
        elif t == "pong":
            self.heard = time.time()
            trip = self.heard * 1000 - d["n"]
            self.pongs = (self.pongs + [(trip, d["time"] - d["n"] - trip / 2)])[-15:]
            return
        elif t not in ("result", "left", "error"):
            return
        reason = d.get("reason")
        self.told(reason if reason == "rolled_back" else t, d)
        for event in d.get("ev", []):
            self.told("event", event)
        if t == "left" and d["why"] == "moved":
            self.join()
        elif t == "left":
            self.close(LEFT.get(d["why"]))
        elif t == "error" and reason != "rolled_back" and d.get("re", "join") == "join" and self.status == "joining":
            self.join_at = time.time() + max(1, d.get("retry_ms", 0) / 1000)
            if reason in NO_ENTRY:
                self.close(None)

    def play(self, url, tick):
        """Over one connection, to its end."""
        with connect(url, subprotocols=["tiltyard.v2.json"], compression=None, close_timeout=1) as self.socket:
            self.join()
            self.heard, ping_at, pings = time.time(), 0, 0
            while self.status != "closed":
                try:
                    message = json.loads(self.socket.recv(timeout=0.02))
                    self.hear(message["t"], message["d"])
                except TimeoutError:
                    pass
                now = time.time()
                if self.join_at and now >= self.join_at:
                    self.join()
                if now >= ping_at:
                    ping_at, pings = now + (0.3 if pings < 5 else 2), pings + 1
                    self.say("ping", n=int(now * 1000))
                if now - self.heard > 10:
                    raise OSError("nothing is heard any more")
                tick(self)

    def run(self, tick=lambda fight: None):
        """Until it is closed for good; `tick` is called some fifty times a second."""
        tries = 0
        while self.status != "closed":
            began, code, wait = time.time(), 1006, 0
            try:
                self.status = "connecting"
                url, self.url = self.url, None  # A ticket is good once.
                self.play(url or post(self.base, f"/sessions/{self.session}/tickets", self.token)["url"], tick)
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
            except urllib.error.HTTPError as refused:
                code = refused.code if refused.code in NO_TICKET else 1006
                wait = float(refused.headers.get("Retry-After", 0))
            except (OSError, InvalidHandshake):
                pass  # Nobody is there, or not yet.
            if self.status == "closed" or code not in BACK:
                return self.status == "closed" or self.close(code)
            self.status, tries = "waiting", 0 if time.time() - began > 5 else tries
            first, most, share = BACK[code] if BACK[code][0] or not tries else SOON
            time.sleep(max(wait, min(most, first * 2**tries) * (1 - share * random.random())))
            tries += 1
