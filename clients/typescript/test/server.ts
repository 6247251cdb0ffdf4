// A server of the test's own, on its own data.
//
// TILTYARD_BIN   the server (default: the release, then the debug build)

import assert from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Far more than any step takes, for machines that have much else to do. */
export const WAIT_MS = 60_000;

const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../../target", import.meta.url));
const binary = process.env.TILTYARD_BIN ?? ["release", "debug"].map((build) => join(target, build, "tiltyard")).find(existsSync);

export class Server {
  url = "";
  #child: ChildProcess | null = null;

  private constructor(readonly data: string) {}

  static async start(): Promise<Server> {
    const server = new Server(await mkdtemp(join(tmpdir(), "tiltyard-")));
    await server.listen("127.0.0.1:0");
    return server;
  }

  async listen(address: string): Promise<void> {
    assert.ok(binary, "build the server first (cargo build --release), or name it in TILTYARD_BIN");
    const child = spawn(binary, ["--listen", address, "--data", this.data], { stdio: ["ignore", "pipe", "pipe"] });
    const log: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
    this.#child = child;
    this.url = await new Promise<string>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`the server ${why}\n${log.join("\n")}`));
      const timer = setTimeout(() => fail("did not say where it listens"), WAIT_MS);
      child.on("error", (error) => fail(`did not start: ${error.message}`));
      child.on("exit", (code) => fail(`ended with code ${code}`));
      createInterface({ input: child.stdout }).on("line", (line) => {
        const url = line.match(/listening on (http:\/\/\S+)/)?.[1];
        if (url !== undefined) {
          clearTimeout(timer);
          resolve(url);
        }
      });
    });
  }

  /** A token of this server, as an operator makes one. */
  async token(...grant: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(binary ?? "", ["token", "--data", this.data, ...grant]);
    return stdout.trim();
  }

  /** Kills it, and has it gone when this returns. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
  }

  /** Starts it again where it was. */
  restart(): Promise<void> {
    return this.listen(new URL(this.url).host);
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }
}
