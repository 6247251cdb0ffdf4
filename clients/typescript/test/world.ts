// A world in which a test plays the other side, the time and the dice.

import assert from "node:assert/strict";

import { encode } from "@msgpack/msgpack";
import { json, type Codec, type Env, type Socket } from "@tiltyard/client";

import { unpack, type Envelope } from "../dist/codec.js";

/** The test's end of a connection that the client has opened. */
export class Line implements Socket {
  binaryType = "";
  protocol = "";
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  /** Messages of the client, and when they were said. */
  readonly said: { message: Envelope; at: number }[] = [];
  closedBy: "client" | "server" | null = null;

  constructor(
    readonly url: string,
    readonly asked: string,
    readonly codec: Codec,
    readonly world: World,
  ) {}

  send(payload: string | Uint8Array): void {
    assert.equal(this.closedBy, null, "said on a connection that is closed");
    assert.equal(typeof payload, this.codec === json ? "string" : "object", "the frame's type is the encoding's");
    this.said.push({ message: unpack(this.codec, payload), at: this.world.now() });
  }

  close(): void {
    this.closedBy ??= "client";
  }

  /** The server takes the connection. */
  accept(): void {
    this.protocol = this.asked;
    this.onopen?.();
  }

  /** The server says this. */
  say(message: Envelope): void {
    const bytes = (): ArrayBuffer => {
      const { buffer, byteOffset, byteLength } = encode(message);
      return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    };
    this.onmessage?.({ data: this.codec === json ? JSON.stringify(message) : bytes() });
  }

  /** The server closes it. */
  end(code: number): void {
    this.closedBy ??= "server";
    this.onclose?.({ code });
  }
}

export class World implements Env {
  #now = 1_000;
  #timers = new Map<number, { at: number; action: () => void }>();
  #serial = 0;
  readonly lines: Line[] = [];
  chance = 0.5;

  constructor(readonly codec: Codec = json) {}

  socket(url: string, protocol: string): Socket {
    const line = new Line(url, protocol, this.codec, this);
    this.lines.push(line);
    return line;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(action: () => void, ms: number): unknown {
    this.#serial += 1;
    this.#timers.set(this.#serial, { at: this.#now + ms, action });
    return this.#serial;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number);
  }

  dice(): number {
    return this.chance;
  }

  /** The connection opened last. */
  get line(): Line {
    return this.lines.at(-1) ?? assert.fail("there is no connection");
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets `ms` pass, or less where `done` is so before; says whether it was. */
  async pass(ms: number, done: () => boolean = () => false): Promise<boolean> {
    const until = this.#now + ms;
    await this.settle();
    while (!done()) {
      const due = [...this.#timers].filter(([, { at }]) => at <= until).sort(([a, one], [b, other]) => one.at - other.at || a - b);
      const [first] = due;
      if (first === undefined) {
        this.#now = until;
        return done();
      }
      const [serial, { at, action }] = first;
      this.#timers.delete(serial);
      this.#now = Math.max(this.#now, at);
      action();
      await this.settle();
    }
    return true;
  }
}
