// What a player can have done, by name.

import type { Action } from "./actions.js";
import type { FightEvents } from "./fight.js";
import { Membership } from "./membership.js";
import type { BodyPart, Motion, Order, Place } from "./wire.js";

/** What an ability or item is aimed at. */
export interface Aim extends Partial<Place> {
  to?: number;
}

export abstract class Orders extends Membership<FightEvents> {
  abstract act(order: Order): Action;

  attack(to: number, part?: BodyPart): Action {
    return this.act({ kind: "attack", to, ...(part && { part }) });
  }

  /** Attacks what is no participant. */
  attackCover(c: number): Action {
    return this.act({ kind: "attack", c });
  }

  attackHazard(z: number): Action {
    return this.act({ kind: "attack", z });
  }

  defend(): Action {
    return this.act({ kind: "defend" });
  }

  /** `a` is its place in `rules.abilities`, as is an item's. */
  ability(a: number, aim: Aim = {}): Action {
    return this.act({ kind: "ability", a, ...aim });
  }

  item(a: number, aim: Aim = {}): Action {
    return this.act({ kind: "item_use", a, ...aim });
  }

  /** Says where the player is now, in centimetres, and, for those who draw it, where it looks and how it goes on. */
  move(x: number, y: number, { f, vx, vy }: Motion = {}): Action {
    const moves = { vx: Math.trunc(vx ?? 0), vy: Math.trunc(vy ?? 0) };
    return this.act({
      kind: "move",
      x: Math.round(x),
      y: Math.round(y),
      ...(f !== undefined && { f: facing(f) }),
      ...((moves.vx !== 0 || moves.vy !== 0) && moves),
    });
  }
}

/** Degrees of any size as those of the wire. */
const facing = (degrees: number): number => ((Math.round(degrees) % 360) + 360) % 360;
