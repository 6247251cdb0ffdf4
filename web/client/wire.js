// The messages of the wire, version 2, as docs/PROTOCOL.md has them. Fields that have nothing to say are absent.
export {};
