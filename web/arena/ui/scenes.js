// What every event looks like: who strikes whom, what an ability reaches, which figures rise.

import { lively } from "./dom.js";
import { sentence } from "../words.js";

/** With more units than these on the field there is no room for every name. */
export const CROWD = 6;
const TINCTURES = ["#ffc53d", "#ff5c97", "#3ddcff", "#9bf05a"];

export class Scenes {
  #on;

  /** `on` is what scenes are played on: the game and the parts of the stage. */
  constructor(on) {
    this.#on = on;
  }

  /** Plays the events of one delta; `places` is where units stood before, for those that are gone after it. */
  play(events, places) {
    const corner = this.#on.stage.getBoundingClientRect();
    const scene = { events, corner, at: (slot) => this.#on.units.get(slot)?.place ?? places.get(slot) ?? null };
    for (const event of events) {
      SCENES[event.k]?.(event, scene, this);
    }
  }

  hit({ by, to, n, crit, guarded, a, react }, scene) {
    const { game, units, marks, ground } = this.#on;
    const [from, at] = [scene.at(by), scene.at(to)];
    if (from && at && a === undefined) {
      units.get(by)?.face(at);
      units.get(by)?.strike();
      marks.tracer(from, at, { team: this.#team(by), scale: ground.scale, guarded });
    }
    if (at) {
      const words = react ? "reaction" : guarded ? "guarded" : crit ? "critical" : "";
      this.float(scene, at, String(n ?? 0), { words, tone: guarded ? "guarded" : crit || react ? "crit" : null });
      units.get(to)?.recoil(crit);
      this.#burst(scene, at, from, { count: crit ? 40 : 18, colour: guarded ? "#8ce9ff" : this.#colour(by) });
    }
    if (to === game.slot) {
      this.#on.onHurt(Boolean(crit));
    }
  }

  used({ by, a, to }, scene) {
    const { game, marks, ground, units } = this.#on;
    const ability = game.rules.abilities[a];
    const from = scene.at(by);
    if (!ability || !from) {
      return;
    }
    const at = (to === undefined ? reached(scene, by, a) : scene.at(to)) ?? from;
    units.get(by)?.face(at);
    marks.ability(ability, from, at, { team: this.#team(by), scale: ground.scale });
    this.name(scene, by, sentence(ability.name));
  }

  /** Words over somebody; among many only where they concern the player, its target, or one who stands out. */
  name(scene, slot, words) {
    const { game, units } = this.#on;
    const { enemy } = game.view.participants[slot] ?? {};
    const great = enemy !== undefined && game.rules.enemies[enemy]?.rank !== "normal";
    if (units.size <= CROWD || great || slot === game.slot || slot === game.target) {
      this.float(scene, scene.at(slot), "", { words, tone: "name" });
    }
  }

  /** A float over a place of the field. */
  float(scene, place, text, how) {
    if (place) {
      this.#on.floats.rise(this.#on.ground.pointOf(place, scene.corner), text, how);
    }
  }

  /** A ring around somebody, or around a thing. */
  ring(place, slot, tone, radius = 260) {
    if (place) {
      this.#on.marks.ring(place, { team: this.#team(slot), tone, radius });
    }
  }

  /** Somebody falls. */
  fall(scene, slot) {
    const at = scene.at(slot);
    this.ring(at, slot, "fall");
    if (at) {
      this.#burst(scene, at, null, { count: 60, colour: this.#colour(slot) });
    }
  }

  /** A cover or hazard of the rules, as a place with its reach. */
  thing({ c, z }) {
    const { covers, hazards } = this.#on.game.rules.field;
    const cover = covers[c];
    return cover
      ? { x: cover.x + cover.w / 2, y: cover.y + cover.h / 2, reach: Math.max(cover.w, cover.h) }
      : hazards[z] && { ...hazards[z], reach: hazards[z].r };
  }

  effectName(e) {
    return sentence(this.#on.game.rules.effects[e]?.name ?? "");
  }

  strikeThing({ by, n, ...event }, scene) {
    const { units, marks, ground } = this.#on;
    const [from, thing] = [scene.at(by), this.thing(event)];
    if (from && thing) {
      units.get(by)?.face(thing);
      units.get(by)?.strike();
      marks.tracer(from, thing, { team: this.#team(by), scale: ground.scale });
    }
    this.float(scene, thing, String(n ?? 0), { tone: "thing" });
  }

  #team(slot) {
    return this.#on.game.view.participants[slot]?.team ?? 0;
  }

  #colour(slot) {
    return TINCTURES[this.#team(slot) % TINCTURES.length];
  }

  #burst(scene, at, from, { count, colour }) {
    if (lively()) {
      const { x, y } = this.#on.ground.pointOf(at, scene.corner);
      const direction = from ? Math.atan2(at.y - from.y, at.x - from.x) : -Math.PI / 2;
      this.#on.sparks.burst(x, y, { count, power: count > 30 ? 420 : 280, direction, colour });
    }
  }
}

/** The middle of all that an ability reached: where it went, as far as can be seen. */
function reached({ events, at }, by, a) {
  const slots = events.filter((event) => event.by === by && (event.a === a || event.k === "affected")).map(({ to }) => to);
  const places = slots.filter((slot) => slot !== undefined && slot !== by).map(at).filter(Boolean);
  const mean = (axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length;
  return places.length > 0 ? { x: mean("x"), y: mean("y") } : null;
}

const SCENES = {
  hit: (event, scene, play) => play.hit(event, scene),
  missed: ({ to }, scene, play) => play.name(scene, to, "missed"),
  suffered: ({ to, n }, scene, play) => play.float(scene, scene.at(to), String(n ?? 0), { tone: "tick" }),
  burned: ({ to, n }, scene, play) => play.float(scene, scene.at(to), String(n ?? 0), { tone: "tick" }),
  healed: ({ to, n }, scene, play) => play.float(scene, scene.at(to), `+${n ?? 0}`, { tone: "heal" }),
  used: (event, scene, play) => play.used(event, scene),
  broken: ({ by }, scene, play) => play.name(scene, by, "broken off"),
  // What somebody does to itself has just been named.
  affected: ({ by, to, e }, scene, play) => by !== to && play.name(scene, to, play.effectName(e)),
  struck: (event, scene, play) => play.strikeThing(event, scene),
  destroyed: (event, scene, play) => {
    const thing = play.thing(event);
    play.ring(thing, event.by, event.z === undefined ? "break" : "blast", thing?.reach);
  },
  eliminated: ({ to }, scene, play) => play.fall(scene, to),
  perished: ({ to }, scene, play) => play.fall(scene, to),
  revived: ({ to }, scene, play) => play.ring(scene.at(to), to, "help"),
  spawned: ({ by }, scene, play) => play.ring(scene.at(by), by, "come", 400),
  enraged: ({ by }, scene, play) => {
    play.ring(scene.at(by), by, "blast", 600);
    play.float(scene, scene.at(by), "", { words: "new phase", tone: "crit" });
  },
};
