// What a player can have done, by name.

import type { Action } from "./actions.js";
import type { BodyPart, Order, Place } from "./wire.js";

/** What an ability or item is aimed at. */
export interface Aim extends Partial<Place> {
  to?: number;
}

export abstract class Orders {
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

  /** Says where the player is now, in centimetres. */
  move(x: number, y: number): Action {
    return this.act({ kind: "move", x: Math.round(x), y: Math.round(y) });
  }
}
