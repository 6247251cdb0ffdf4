// What a connection needs of the world around it; handed in, so that a test can play all of it.

/** As much of WebSocket's face as is used. */
export interface Socket {
  binaryType: string;
  readonly protocol: string;
  onopen: (() => void) | null;
  /** `at` is when it came, on the clock of `Env.now`, where the socket knows better than the time of the call. */
  onmessage: ((event: { data: unknown; at?: number }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(payload: string | Uint8Array): void;
  close(code?: number): void;
}

export interface Env {
  socket(url: string, protocol: string): Socket;
  /** Local milliseconds, which never go back. */
  now(): number;
  setTimeout(action: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Between 0 and 1. */
  dice(): number;
}

const WORLD: Env = {
  socket(url, protocol) {
    if (typeof WebSocket === "undefined") {
      throw new Error("there is no WebSocket here: hand one in as env.socket, or use Node.js 22 or newer");
    }
    return new WebSocket(url, protocol) as unknown as Socket;
  },
  now: () => performance.now(),
  setTimeout: (action, ms) => setTimeout(action, ms),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  dice: () => Math.random(),
};

/** The world, but for what of it is given. */
export function worldWith(given: Partial<Env> = {}): Env {
  const of = <Name extends keyof Env>(name: Name): Env[Name] => (given[name] as Env[Name] | undefined) ?? WORLD[name];
  return {
    socket: of("socket").bind(given),
    now: of("now").bind(given),
    setTimeout: of("setTimeout").bind(given),
    clearTimeout: of("clearTimeout").bind(given),
    dice: of("dice").bind(given),
  };
}

/** One timer of a name: setting it again replaces it. */
export class Timer {
  #handle: unknown = null;

  constructor(readonly env: Env) {}

  set(ms: number, action: () => void): void {
    this.stop();
    this.#handle = this.env.setTimeout(() => {
      this.#handle = null;
      action();
    }, ms);
  }

  stop(): void {
    if (this.#handle !== null) {
      this.env.clearTimeout(this.#handle);
      this.#handle = null;
    }
  }
}
