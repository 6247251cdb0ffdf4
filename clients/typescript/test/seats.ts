// A session as a test's server has it, and the ways into it.

import { digest, type ClientMessage, type Json, type Participant, type View } from "@tiltyard/client";

import type { World } from "./world.js";

export const SESSION = "0192f5a8-6c1e-7d40-9b1f-0000abcd1234";
export const OTHER = "0192f5a8-6c1e-7d40-9b1f-000000000007";
export const [ANN, BOB] = ["0192f5a8-6c1e-7d40-9b1f-0a1b2c3d4e5f", "0192f5a8-7777-7d40-9b1f-fedcba987654"];
/** The server's wall clock at session time 0. */
export const BIRTH = 1_764_000_000_000;
export const S = 0xabcd1234;

export const ticket = (): Promise<string> => Promise.resolve("ws://127.0.0.1/ws?ticket=any");

export function participant(player: string, x: number, more: Partial<Participant> = {}): Participant {
  const pools = { hp: 100, armor: 0, shield: 0, stamina: 0, stamina_at: 0, stamina_rate: 0, guard_until: 0 };
  const own = { energy: 0, energy_at: 0, energy_rate: 0, charge: 0, ammo: 0, reload_at: 0, used: [] };
  const seat = { player, team: 0, status: "active" as const, ready: true, score: 0, phase: 0 };
  return { ...seat, ...pools, state: 0, x, y: 0, effects: [], cast: [], ...own, ...more };
}

export function duel(): View {
  const phase = { status: "active" as const, phase: "active" as const, state: "active" };
  return { phase, seats: 2, participants: [participant(ANN, 0), participant(BOB, 1_000)], covers: [], hazards: [], modifiers: [] };
}

/** `at` and `time` of a message. */
export const stamp = (at: number) => ({ at, time: BIRTH + at });

/** The server says that the fight is joined. */
export function joined(world: World, more: object = {}, at = 5_000): void {
  const seat = { session: SESSION, s: S, slot: 0, team: 0, resume: "snapshot", last_id: 0, applied: 0, epoch: 1 };
  world.line.say({ t: "joined", d: { ...seat, ...stamp(at), ...more } });
}

export function snapshot(world: World, q: number, view: View, more: object = {}, at = 5_000): void {
  world.line.say({ t: "snapshot", d: { s: S, q, epoch: 1, id: 0, ...stamp(at), view, h: digest(view), ...more } });
}

export function delta(world: World, q: number, changes: object = {}, at = 5_000 + q): void {
  world.line.say({ t: "delta", d: { id: 0, s: S, q, ...stamp(at), ...changes } });
}

/** What the client has said on its connection, but for pings. */
export function said(world: World): ClientMessage[] {
  return world.line.said.map(({ message }) => message as ClientMessage).filter(({ t }) => t !== "ping");
}

/** A custom session that is joined. */
export function room(world: World, state: Json, version = 1, more: object = {}): void {
  world.line.say({ t: "joined", d: { session: SESSION, s: S, type: "custom", members: [ANN, BOB], here: [ANN], version, state, time: BIRTH, ...more } });
}
