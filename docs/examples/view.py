"""What a delta does to a view, and the digest of a view: docs/PROTOCOL.md, "The view" and "The digest". client.py works with both."""

# One of whom nothing is known yet, and what is known of one in the fog.
LISTS, NUMBERS = ["effects", "cast", "used"], "score phase hp armor shield stamina stamina_at stamina_rate guard_until state x y".split()
NUMBERS += "team energy energy_at energy_rate charge ammo reload_at".split()
NOBODY = {"status": "active", "ready": False} | {name: 0 for name in NUMBERS} | {name: [] for name in LISTS}
KNOWN = ["player", "team", "status", "ready", "score"]

# Words by their codes.
STATUS = ["initializing", "active", "paused", "completed", "terminated"]
PHASE = ["preparation", "active", "cooldown", "finished"]
STANDING = ["active", "eliminated", "disconnected"]
END = ["last_standing", "time_limit", "forfeit", "terminated", "completed", "abandoned", "failed", "score_limit", "rounds_won", "cleared", "survived"]
END += ["defeated", "not_ready", "pause_limit"]
OWN = ["energy", "energy_at", "energy_rate", "charge", "ammo", "reload_at", "used"]


def after(view, delta):
    """The view once this has happened; the one before stays as it was."""
    everybody, covers, hazards = view["participants"][: delta.get("n")], [*view["covers"]], [*view["hazards"]]
    for patch in delta.get("p", []):
        i, news = patch["i"], {name: value for name, value in patch.items() if name != "i"}
        who = NOBODY if "player" in patch else everybody[i]
        if patch.get("hidden") and "player" not in patch:
            who = NOBODY | {name: who[name] for name in KNOWN}
        if i == len(everybody):
            everybody.append(who)
        everybody[i] = who | news
    for cover, health in delta.get("c", []):
        covers[cover] = health
    for hazard, *now in delta.get("z", []):
        hazards[hazard] = now
    field = {"covers": covers, "hazards": hazards, "modifiers": delta.get("m", view["modifiers"])}
    return view | field | {"participants": everybody, "phase": delta.get("ph", view["phase"])}


def digest(view):
    """32 bits; None where the view has a word that is newer than this client."""
    try:
        spelled = [*words(view)]
    except ValueError:
        return None
    h = 0x811C9DC5
    for word in spelled:
        h = (h ^ word & 0xFFFFFFFF) * 0x9E3779B1 & 0xFFFFFFFF
        h ^= h >> 15
    return h


def wide(number):
    return [number, number >> 32]


def listed(items, each=lambda item: item):
    return [len(items)] + [word for item in items for word in each(item)]


def triple(item):
    return [item[0], item[1], *wide(item[2])]


def words(view):
    phase, everybody = view["phase"], view["participants"]
    plus_one = lambda of, name: of[name] + 1 if name in of else 0
    yield from [STATUS.index(phase["status"]), PHASE.index(phase["phase"]), *listed([[byte] for byte in phase["state"].encode()])]
    yield from [*wide(plus_one(phase, "until")), plus_one(phase, "winner"), plus_one(phase, "team")]
    yield from [END.index(phase["end"]) + 1 if "end" in phase else 0, phase.get("round", 0), *listed(phase.get("wins", []))]
    yield from [plus_one(phase, "turn"), *wide(phase.get("turn_until", 0))]
    yield from [view["seats"], len(view["covers"]), *view["covers"], *listed(view["hazards"]), len(view["modifiers"]), *view["modifiers"]]
    yield len(everybody)
    for one in everybody:
        yield from [int(one["player"][-8:], 16), one["team"], STANDING.index(one["status"]), one["ready"] + 2 * one.get("hidden", False)]
        yield from [one["score"], plus_one(one, "enemy"), one["phase"], one["hp"], one["armor"], one["shield"], one["stamina"]]
        yield from [*wide(one["stamina_at"]), one["stamina_rate"], *wide(one["guard_until"]), one["state"], one["x"], one["y"]]
        ability, until = one["cast"] or (-1, 0)
        yield from [*listed(one["effects"], triple), ability + 1, *wide(until)]
    for slot, one in enumerate(everybody):
        if any(one[name] for name in OWN):
            yield from [slot + 1, one["energy"], *wide(one["energy_at"]), one["energy_rate"], one["charge"], one["ammo"]]
            yield from [*wide(one["reload_at"]), *listed(one["used"], triple)]
    motions = [(slot + 1, *(one.get(name, 0) for name in ("f", "vx", "vy"))) for slot, one in enumerate(everybody)]
    moving = [motion for motion in motions if any(motion[1:])]
    yield from [0xFFFFFFFF] * bool(moving) + [word for motion in moving for word in motion]
