// What a client does after a connection has ended: whether it comes back, and when.
/** Ended without a code, or with none that the network let through. */
export const LOST = 1006;
export const REPLACED = 4409;
export const ENDED = 4410;
const SOON = { first: 300, most: 8_000, spread: 0.5 };
/** Many are sent away at once, who must not all come back at once. */
const SPREAD = { first: 2_000, most: 15_000, spread: 0.9 };
const AT_ONCE = { first: 0, most: 8_000, spread: 0.5 };
/** The server takes no connection for at least 5 s. */
const LATER = { first: 7_200, most: 400_000, spread: 0.25 };
const COMES_BACK = new Map([
    [1001, SOON],
    [1005, SOON],
    [LOST, SOON],
    [1011, SPREAD],
    [1012, SPREAD],
    [1013, SPREAD],
    [4408, SOON],
    [4413, SPREAD],
    [4419, AT_ONCE],
    [4429, LATER],
]);
const WORDS = new Map([
    [1000, "the client closed the connection"],
    [1001, "the server went away"],
    [1002, "the server does not speak this client's protocol"],
    [1003, "the server does not speak this client's encoding"],
    [1005, "the connection ended without a reason"],
    [LOST, "the connection was lost"],
    [1007, "the server could not read what this client sent"],
    [1009, "this client sent a message that was too big"],
    [1011, "the server failed"],
    [1012, "the server restarts"],
    [1013, "the server has too much to do"],
    [4400, "the server understood too little of what this client sent"],
    [4401, "the credentials are not valid any more"],
    [4403, "the player may not take part in this session"],
    [4404, "there is no such session"],
    [4408, "the server heard nothing for too long"],
    [REPLACED, "the player joined from a newer connection"],
    [ENDED, "the session has ended"],
    [4413, "this client read too slowly"],
    [4419, "the token has expired"],
    [4429, "this client sent too many messages"],
]);
/** Answers to a `join` that another try does not change, as the codes that say the same. */
export const JOIN_REFUSED = new Map([
    ["unauthorized", 4401],
    ["forbidden", 4403],
    ["not_a_participant", 4403],
    ["no_session", 4404],
    ["session_ended", ENDED],
    ["session_elsewhere", 4403],
    ["too_many_sessions", 4403],
]);
/** Answers to the request for a ticket, likewise by their status. */
export const TICKET_REFUSED = new Map([
    [400, 4403],
    [401, 4401],
    [403, 4403],
    [404, 4404],
    [409, ENDED],
    [410, ENDED],
]);
/** Whether to come back after a connection was closed with `code`. */
export function comesBack(code) {
    return COMES_BACK.has(code);
}
/** How long to wait before try number `attempt`, counted from 0; `dice` is between 0 and 1. */
export function delayMs(code, attempt, dice) {
    const { first, most, spread } = COMES_BACK.get(code) ?? SOON;
    const step = first === 0 && attempt > 0 ? SOON.first * 2 ** (attempt - 1) : first * 2 ** attempt;
    return Math.min(most, step) * (1 - spread + spread * dice);
}
/** Why a connection was closed, for a person. */
export function closedBecause(code) {
    return WORDS.get(code) ?? `the connection was closed with ${code}`;
}
