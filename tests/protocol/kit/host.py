"""Runs docs/examples/client.py in a world that the test plays: its connections, the time, the dice and the answers to its requests.

Each line on stdin is a command, each on stdout its answer: the time, and what has happened. Time passes on command alone.
"""
import email.message, io, json, sys, threading, traceback, types, urllib.error, urllib.request

from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

NEVER = float("inf")


class World:
    """The client runs in a thread of its own, while nobody else does."""

    def __init__(self):
        self.now, self.events, self.tickets, self.minted = 1_000_000.0, [], [], 0
        self.until, self.ready, self.is_over, self.is_stopping = NEVER, bool, True, False
        self.goes, self.rests = threading.Semaphore(0), threading.Semaphore(0)

    def wait(self, until, ready=lambda: False):
        """Of the client: rests until then, or until something is there."""
        self.until, self.ready = until, ready
        self.rests.release()
        self.goes.acquire()
        if self.is_stopping:
            raise SystemExit

    def start(self, work):
        def run():
            try:
                work()
            except SystemExit:
                pass
            except BaseException:
                self.events.append({"crashed": traceback.format_exc()})
            self.is_over = True
            self.rests.release()

        self.is_over = self.is_stopping = False
        threading.Thread(target=run, daemon=True).start()
        self.rests.acquire()

    def stop(self):
        self.is_stopping = True
        while not self.is_over:
            self.goes.release()
            self.rests.acquire()

    def settle(self):
        """Lets everything happen that needs no time."""
        while not self.is_over and (self.now >= self.until or self.ready()):
            self.goes.release()
            self.rests.acquire()

    def pass_(self, ms):
        """Lets so much time pass, or less where something happens before."""
        end = self.now + ms
        self.settle()
        while not self.events and self.now < end:
            self.now = end if self.is_over else min(end, self.until)
            self.settle()

    def answer(self, request, timeout=None):
        ticket = self.tickets[self.minted] if self.minted < len(self.tickets) else "ok"
        self.minted += 1
        if ticket == "ok":
            return io.BytesIO(json.dumps({"url": f"ws://127.0.0.1/ws?ticket={self.minted}"}).encode())
        heads = email.message.Message()
        if "retry_ms" in ticket:
            heads["Retry-After"] = str(ticket["retry_ms"] // 1000)
        raise urllib.error.HTTPError(request.full_url, ticket["status"], "", heads, io.BytesIO())


class Line:
    """A connection of the client's."""

    def __init__(self, world, url, subprotocols, **_):
        self.world, self.is_open, self.code, self.inbox = world, None, None, []
        world.line = self
        world.events.append({"dials": url, "asked": subprotocols[0]})
        world.wait(NEVER, lambda: self.is_open is not None)
        if not self.is_open:
            raise OSError("refused")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def fail(self):
        raise ConnectionClosed(None if self.code == 1006 else Close(self.code, ""), None)

    def send(self, text):
        if not self.is_open:
            self.fail()
        self.world.events.append({"said": text, "at": self.world.now})

    def recv(self, timeout):
        until = self.world.now + timeout * 1000
        self.world.wait(until, lambda: self.inbox or not self.is_open)
        if self.inbox:
            return self.inbox.pop(0)
        if not self.is_open:
            self.fail()
        raise TimeoutError

    def close(self):
        if self.is_open:
            self.is_open, self.code = False, 1000
            self.world.events.append({"closes": True})


def load(view, client):
    for name, text in (("view", view), ("client", client)):
        module = sys.modules[name] = types.ModuleType(name)
        exec(compile(text, f"{name}.py", "exec"), module.__dict__)
    module.time = types.SimpleNamespace(time=lambda: world.now / 1000, sleep=lambda s: world.wait(world.now + s * 1000))
    module.random = types.SimpleNamespace(random=lambda: 0.5)
    module.connect = lambda url, **more: Line(world, url, **more)
    urllib.request.urlopen = lambda request, timeout: world.answer(request)
    return module


def state(fight):
    view, rules = fight.view, fight.rules
    has = {"status": fight.status, "code": fight.code, "q": fight.seq, "at": fight.at, "epoch": fight.epoch, "view": view, "slot": fight.slot}
    has |= {"team": fight.team, "rules": rules and rules["hash"], "pending": list(fight.pending), "applied": fight.applied}
    has |= {"h": view and sys.modules["view"].digest(view)}
    if fight.pongs:
        offset, way = fight.clock()
        has |= {"offset_ms": offset, "latency_ms": way, "now": view and fight.now()}
    return has


def does(verb, order):
    if verb == "act":
        fight.act(**order)
    elif verb == "close":
        fight.close()
    else:
        fight.ask(verb)


world, fight = World(), None
for line in sys.stdin:
    command = json.loads(line)
    what, more = command["op"], {}
    if what == "load":
        module = load(command["view"], command["client"])
    elif what == "connect":
        world.stop()
        world = World()
        world.tickets = command["tickets"]
        tell = lambda t, d: world.events.append({"told": t, "d": d})
        fight = module.Fight("http://127.0.0.1", "token", command["session"], told=tell)
        world.start(fight.run)
    elif what == "accept":
        world.line.is_open = True
    elif what == "say":
        world.line.inbox.append(command["text"])
    elif what == "end":
        world.line.is_open, world.line.code = False, command["code"]
    elif what == "do":
        does(command["verb"], command["order"])
    elif what == "state":
        more = {"state": state(fight)}
    world.settle() if what != "pass" else world.pass_(command["ms"])
    print(json.dumps({"now": world.now, "events": world.events} | more), flush=True)
    world.events = []
