// MessagePack in binary frames: about half of the bytes of JSON.

import { decode, encode } from "@msgpack/msgpack";

import type { Codec } from "./codec.js";

export const msgpack: Codec = {
  subprotocol: "tiltyard.v2.msgpack",
  pack: (message) => encode(message),
  unpack: (payload) => decode(payload as ArrayBuffer),
};
