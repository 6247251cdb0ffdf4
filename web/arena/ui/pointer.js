// The pointer on the field: a click or a tap on a rival strikes it, on a thing strikes that, on the ground walks there.

/** How far beside a unit a tap still means it, in pixels; fingers are wide. */
const NEAR_PX = { mouse: 30, touch: 40, pen: 34 };

export class Pointer {
  #ground;
  #game;
  #units;
  #onStrike;
  #onThing;

  constructor(ground, game, units, { onStrike, onThing }) {
    this.#ground = ground;
    this.#game = game;
    this.#units = units;
    this.#onStrike = onStrike;
    this.#onThing = onThing;
    ground.root.addEventListener("pointerdown", (event) => this.#down(event));
    ground.root.addEventListener("pointermove", (event) => this.#point(event));
    ground.root.addEventListener("pointerleave", () => (game.pointed = null));
  }

  #down(event) {
    const game = this.#game;
    if (game.phase !== "active" || game.outcome || event.button !== 0) {
      return;
    }
    const place = this.#ground.placeAt(event.clientX, event.clientY);
    const slot = this.#nearest(place, NEAR_PX[event.pointerType] ?? NEAR_PX.mouse);
    const thing = slot === null ? this.#ground.thingAt(place, game.view) : null;
    if (slot !== null && game.isFoe(slot)) {
      this.#onStrike(slot);
    } else if (slot !== null && slot !== game.slot) {
      game.aim(slot);
    } else if (thing) {
      this.#onThing(thing);
    } else if (this.#ground.has(place)) {
      game.walk.goTo(place);
    }
  }

  #point(event) {
    if (event.pointerType === "mouse" && this.#game.view !== null) {
      this.#game.pointed = this.#ground.placeAt(event.clientX, event.clientY);
    }
  }

  /** The slot of the unit under the pointer, of rivals rather than of others; `null` for none. */
  #nearest(place, nearPx) {
    let best = null;
    for (const unit of this.#units.values()) {
      if (unit.place === null) {
        continue;
      }
      const { status } = this.#game.view.participants[unit.slot];
      const far = Math.hypot(unit.place.x - place.x, unit.place.y - place.y) / this.#ground.scale;
      const cost = far + (this.#game.isFoe(unit.slot) ? 0 : nearPx / 2);
      if (far <= nearPx && status !== "eliminated" && unit.slot !== this.#game.slot && (best === null || cost < best.cost)) {
        best = { slot: unit.slot, cost };
      }
    }
    return best?.slot ?? null;
  }
}
