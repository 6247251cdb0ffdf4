// protocol/messages.schema.json as the tests hold messages to it: to the letter, where the schema as it is published lets pass what it does not know.

import { readFile } from "node:fs/promises";

import Ajv from "ajv";

export const schema = JSON.parse(await readFile(new URL("../../protocol/messages.schema.json", import.meta.url), "utf8"));

/** The same in which an object has no field that is not described. */
function closed(part) {
  if (Array.isArray(part)) {
    return part.map(closed);
  }
  if (typeof part !== "object" || part === null) {
    return part;
  }
  const inner = Object.fromEntries(Object.entries(part).map(([name, value]) => [name, closed(value)]));
  return part.type === "object" && part.properties ? { ...inner, additionalProperties: false } : inner;
}

const exactly = new Ajv({ strict: true, strictTypes: false, strictRequired: false }).addSchema(closed(schema), "messages");

/** Every type of this side, `client` or `server`. */
export const typesOf = (side) => schema.definitions[side === "client" ? "ClientMessage" : "ServerMessage"].oneOf.map(({ $ref }) => $ref.split("/").at(-1));

/** What is wrong with `message` as one of its type that this side says; nothing where it is one. */
export function faults(side, message) {
  if (!typesOf(side).includes(message?.t)) {
    return [`no ${side} says ${message?.t}`];
  }
  const valid = exactly.getSchema(`messages#/definitions/${message.t}`);
  return valid(message) ? [] : valid.errors.map(({ instancePath, message: why, params }) => `${message.t}${instancePath} ${why} ${JSON.stringify(params)}`);
}
