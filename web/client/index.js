// The TypeScript client of the Tiltyard session hub.
export { ID_MAX, WINDOW } from "./actions.js";
export { closedBecause, comesBack, delayMs } from "./closing.js";
export { json } from "./codec.js";
export { Connection } from "./connection.js";
export { digest } from "./digest.js";
export { Fight, connect, joinToo } from "./fight.js";
export { Hub, HubError } from "./hub.js";
export { Interpolator } from "./interpolate.js";
export { Membership } from "./membership.js";
export { merged } from "./merge.js";
export { Orders } from "./orders.js";
export { Predictor } from "./predict.js";
export { Pulse } from "./pulse.js";
export { Room } from "./room.js";
export { ServerClock, SessionClock } from "./time.js";
export { Drift, apply, viewOf } from "./view.js";
