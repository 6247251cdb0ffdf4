// What a player can have done, by name.
import { Membership } from "./membership.js";
export class Orders extends Membership {
    attack(to, part) {
        return this.act({ kind: "attack", to, ...(part && { part }) });
    }
    /** Attacks what is no participant. */
    attackCover(c) {
        return this.act({ kind: "attack", c });
    }
    attackHazard(z) {
        return this.act({ kind: "attack", z });
    }
    defend() {
        return this.act({ kind: "defend" });
    }
    /** `a` is its place in `rules.abilities`, as is an item's. */
    ability(a, aim = {}) {
        return this.act({ kind: "ability", a, ...aim });
    }
    item(a, aim = {}) {
        return this.act({ kind: "item_use", a, ...aim });
    }
    /** Says where the player is now, in centimetres, and, for those who draw it, where it looks and how it goes on. */
    move(x, y, { f, vx, vy } = {}) {
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
const facing = (degrees) => ((Math.round(degrees) % 360) + 360) % 360;
