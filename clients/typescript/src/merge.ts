// JSON merge patches (RFC 7396).

import type { Json } from "./wire.js";

/** `target` after `patch`; both stay as they were. */
export function merged(target: Json, patch: Json): Json {
  if (!isObject(patch)) {
    return patch;
  }
  const after = new Map(isObject(target) ? Object.entries(target) : []);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      after.delete(key);
    } else {
      after.set(key, merged(after.get(key) ?? null, value));
    }
  }
  // Not by assignment: a key may be `__proto__`.
  return Object.fromEntries(after);
}

const isObject = (value: Json): value is { [key: string]: Json } => typeof value === "object" && value !== null && !Array.isArray(value);
