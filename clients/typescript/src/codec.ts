// The encodings: the same names and values in each. JSON is here; MessagePack, which needs a library, is in msgpack.ts, so that a
// page without it needs nothing at all.

import type { ClientMessage } from "./wire.js";

/** A message of any type, before anybody has looked at it. */
export interface Envelope {
  t: string;
  d: unknown;
}

export interface Codec {
  /** The subprotocol that names it. */
  readonly subprotocol: string;
  /** A message as the payload of one frame. */
  pack(message: ClientMessage): string | Uint8Array;
  /** What is in one frame's payload; throws where it is nothing. */
  unpack(payload: unknown): unknown;
}

/** JSON in text frames. */
export const json: Codec = {
  subprotocol: "tiltyard.v2.json",
  pack: (message) => JSON.stringify(message),
  unpack: (payload) => JSON.parse(payload as string),
};

/** The message in one frame's payload; throws where it is none. */
export function unpack(codec: Codec, payload: unknown): Envelope {
  const message = codec.unpack(payload);
  if (typeof message !== "object" || message === null || typeof (message as Envelope).t !== "string") {
    throw new TypeError("a frame holds no message");
  }
  return message as Envelope;
}
