// The keyboard. In the fight the keys belong to the field until Escape gives them to the buttons: then Tab goes from one
// to the next, and Escape gives them back.

const WAYS = { w: [0, -1], a: [-1, 0], s: [0, 1], d: [1, 0], arrowup: [0, -1], arrowleft: [-1, 0], arrowdown: [0, 1], arrowright: [1, 0] };

export class Keys {
  #game;
  #arena;
  #controls;
  #held = new Set();

  /** `controls` says which buttons there are (`mode`) and does what they do. */
  constructor(game, arena, controls) {
    this.#game = game;
    this.#arena = arena;
    this.#controls = controls;
    document.addEventListener("keydown", (event) => this.#down(event));
    document.addEventListener("keyup", (event) => this.#up(event.key.toLowerCase()));
    addEventListener("blur", () => this.#letGo());
  }

  #down(event) {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (typing || event.ctrlKey || event.metaKey || event.altKey || this.#arena.stage !== "fight") {
      return;
    }
    const onControl = event.target instanceof HTMLButtonElement || event.target instanceof HTMLAnchorElement;
    const key = event.key === " " ? "space" : event.key.toLowerCase();
    const act = this.#bound(key, event, onControl);
    const presses = onControl && (key === "enter" || key === "space");
    if (act && !presses) {
      event.preventDefault();
      act();
    }
  }

  #bound(key, { repeat, shiftKey }, onControl) {
    const controls = this.#controls;
    switch (controls.mode) {
      case "lobby":
        return (key === "r" || key === "enter") && !repeat ? () => this.#game.sayReady() : null;
      case "end":
        return key === "enter" && !repeat ? () => controls.again() : null;
      case "fight":
        return this.#inFight(key, { repeat, back: shiftKey, onControl });
      default:
        return null;
    }
  }

  #inFight(key, { repeat, back, onControl }) {
    const { moves } = this.#controls;
    if (WAYS[key]) {
      return () => this.#hold(key);
    }
    if (key === "escape") {
      return () => (onControl ? document.getElementById("main").focus() : moves.focus());
    }
    if (key === "tab") {
      return onControl ? null : () => this.#aimNext(back ? -1 : 1);
    }
    const part = moves.partOn(key);
    if (part) {
      return () => moves.aimAt(part);
    }
    const move = moves.onKey(key);
    if (move) {
      return repeat && move.kind !== "attack" ? () => {} : () => moves.press(move.kind, move.a);
    }
    return key >= "1" && key <= "9" ? () => this.#controls.pick(Number(key)) : null;
  }

  #hold(key) {
    this.#held.add(key);
    this.#steer();
  }

  #up(key) {
    if (this.#controls.moves.partOn(key)) {
      this.#controls.moves.aimAt("torso");
    }
    if (this.#held.delete(key)) {
      this.#steer();
    }
  }

  #letGo() {
    if (this.#held.size > 0) {
      this.#held.clear();
      this.#steer();
    }
  }

  #steer() {
    const sum = (axis) => Math.sign([...this.#held].reduce((total, key) => total + WAYS[key][axis], 0));
    this.#game.walk.steer(sum(0), sum(1));
  }

  #aimNext(step) {
    const game = this.#game;
    const { participants } = game.view;
    const standing = game.rivals.filter((slot) => participants[slot].status !== "eliminated" && !participants[slot].hidden);
    const at = standing.indexOf(game.target);
    if (standing.length > 0) {
      game.aim(standing[(at + step + standing.length) % standing.length]);
    }
  }
}
