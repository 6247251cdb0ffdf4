// Sparks over the stage: a canvas that draws only while something flies.

const GRAVITY = 900;

export class Sparks {
  #canvas;
  #context;
  #sparks = [];
  #before = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
  }

  /** Throws `count` sparks of `colour` from a point of the stage, mostly along `direction` (in radians). */
  burst(x, y, { count, colour, direction, power }) {
    for (let i = 0; i < count; i += 1) {
      const angle = direction + (Math.random() - 0.5) * 2.2;
      const speed = power * (0.3 + Math.random() * 0.9);
      this.#sparks.push({
        x,
        y,
        dx: Math.cos(angle) * speed,
        dy: Math.sin(angle) * speed - power * 0.25,
        life: 0.35 + Math.random() * 0.45,
        age: 0,
        size: 1.5 + Math.random() * 2.5,
        colour: Math.random() < 0.35 ? "#ffffff" : colour,
      });
    }
  }

  /** Moves on to local time `now`. */
  frame(now) {
    const seconds = Math.min(0.05, (now - this.#before) / 1000);
    this.#before = now;
    if (this.#sparks.length === 0) {
      return;
    }
    this.#fit();
    const context = this.#context;
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    for (const spark of this.#sparks) {
      spark.age += seconds;
      spark.dy += GRAVITY * seconds;
      spark.x += spark.dx * seconds;
      spark.y += spark.dy * seconds;
      context.globalAlpha = Math.max(0, 1 - spark.age / spark.life);
      context.strokeStyle = spark.colour;
      context.lineWidth = spark.size;
      context.beginPath();
      context.moveTo(spark.x, spark.y);
      context.lineTo(spark.x - spark.dx * 0.025, spark.y - spark.dy * 0.025);
      context.stroke();
    }
    this.#sparks = this.#sparks.filter((spark) => spark.age < spark.life);
    if (this.#sparks.length === 0) {
      context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    }
  }

  #fit() {
    const { clientWidth, clientHeight } = this.#canvas;
    const scale = Math.min(2, devicePixelRatio || 1);
    const [width, height] = [Math.round(clientWidth * scale), Math.round(clientHeight * scale)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
  }
}
