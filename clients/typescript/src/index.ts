// The TypeScript client of the Tiltyard session hub.

export { ID_MAX, WINDOW, type Action, type Answer } from "./actions.js";
export { closedBecause, comesBack, delayMs } from "./closing.js";
export { json, type Codec } from "./codec.js";
export { Connection, type ConnectionOptions, type ConnectionState, type Door, type NoTicket } from "./connection.js";
export { digest } from "./digest.js";
export type { Env, Socket } from "./env.js";
export { Fight, connect, joinToo, type FightEvents, type FightOptions } from "./fight.js";
export { Hub, HubError, type Guest, type Offer, type Seat, type Wish } from "./hub.js";
export { Interpolator, type Pose } from "./interpolate.js";
export { Membership, type Closing, type MembershipEvents, type Status } from "./membership.js";
export { merged } from "./merge.js";
export { Orders, type Aim } from "./orders.js";
export { Predictor } from "./predict.js";
export { Pulse, type PulseEvents } from "./pulse.js";
export type { Reply } from "./requests.js";
export { Room, type RoomEvents } from "./room.js";
export { ServerClock, SessionClock } from "./time.js";
export { Drift, apply, viewOf } from "./view.js";
export type * from "./wire.js";
