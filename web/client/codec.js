// The encodings: the same names and values in each. JSON is here; MessagePack, which needs a library, is in msgpack.ts, so that a
// page without it needs nothing at all.
/** JSON in text frames. */
export const json = {
    subprotocol: "tiltyard.v2.json",
    pack: (message) => JSON.stringify(message),
    unpack: (payload) => JSON.parse(payload),
};
/** The message in one frame's payload; throws where it is none. */
export function unpack(codec, payload) {
    const message = codec.unpack(payload);
    if (typeof message !== "object" || message === null || typeof message.t !== "string") {
        throw new TypeError("a frame holds no message");
    }
    return message;
}
