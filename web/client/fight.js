// A session as its player has it: the view with its sequence, what may be done in it, and everything that happens told as
// events. It joins, resumes and joins again by itself; whoever uses it need not know when.
import { Actions, neverSent } from "./actions.js";
import { Connection } from "./connection.js";
import { digest } from "./digest.js";
import { Interpolator } from "./interpolate.js";
import { Orders } from "./orders.js";
import { Predictor } from "./predict.js";
import { SessionClock } from "./time.js";
import { Drift, apply, viewOf } from "./view.js";
/** How far in the past the others are drawn: two places of theirs should be known there. */
const DRAWN_MS = 150;
export class Fight extends Orders {
    type = "combat";
    #actions = new Actions();
    #clock;
    #others = new Interpolator();
    #own = new Predictor();
    #view = null;
    /** Whether the view was the server's at its sequence: one that had another digest is not to be gone on from. */
    #sound = true;
    /** Whether the server may not have what was sent: the connection is another one than it was sent on. */
    #unsure = false;
    #readyWanted = false;
    /** The sequence and session time of the view, and how often the session has changed hands. */
    seq;
    at = 0;
    epoch;
    slot = -1;
    team = -1;
    rules = null;
    timers = {};
    /** The highest id of one's own action that the view shows. */
    applied = 0;
    outcome = null;
    #over;
    #end;
    constructor(session, connection) {
        super(session, connection);
        this.#clock = new SessionClock(connection.clock);
        ({ promise: this.#over, resolve: this.#end } = promised());
        this.enter();
    }
    /** The result, or `null` where the session is closed without one. */
    get over() {
        return this.#over;
    }
    get view() {
        return this.#view;
    }
    get me() {
        return this.#view?.participants[this.slot] ?? null;
    }
    /** How fast the player is now, in centimetres a second, with what effects and modifiers make of it; null where that is not known yet. */
    get speed() {
        const { me, rules, view } = this;
        if (me === null || rules === null || view === null) {
            return null;
        }
        const changed = (effect) => rules.effects[effect]?.changes?.speed ?? 0;
        const own = me.effects.reduce((sum, [effect, stacks]) => sum + changed(effect) * stacks, 0);
        const percent = view.modifiers.reduce((sum, effect) => sum + changed(effect), own);
        return Math.floor((rules.speed_cm_per_s * Math.max(100 + percent, 0)) / 100);
    }
    /** The digest of the view, as the server would have it. */
    get digest() {
        return this.#view && digest(this.#view);
    }
    /** Actions that have no answer yet. */
    get pending() {
        return this.#actions.pending;
    }
    /** Session time now, as well as it is known. */
    now() {
        return this.#clock.at(this.connection.env.now());
    }
    /**
     * Where to draw the participant in `slot`, which is `null` where it is not seen: oneself where one has gone already, the others
     * where they were a moment ago, or at session time `at`.
     */
    place(slot, at = this.now() - DRAWN_MS) {
        const shown = this.#view?.participants[slot];
        if (shown === undefined || shown.hidden) {
            return null;
        }
        return slot === this.slot ? this.#own.place(shown) : this.#others.place(slot, at);
    }
    /** Says that the player is ready, now or as soon as that can be said. */
    ready() {
        this.#readyWanted = true;
        this.#sayReady();
    }
    /** Gives the seat up for good. */
    concede() {
        this.#say("concede");
    }
    reopen() {
        if (this.closing !== null) {
            ({ promise: this.#over, resolve: this.#end } = promised());
            super.reopen();
        }
    }
    /**
     * Does what is ordered, exactly once: where the connection is lost before there is an answer it is sent again on the next one.
     * What cannot be sent at all is refused at once, with `offline` or `window_full`.
     */
    act(order) {
        const action = this.status === "live" ? this.#actions.begin(order) : "offline";
        if (typeof action === "string") {
            return neverSent(order, action);
        }
        this.#send(action);
        return action;
    }
    /** Sends an action again that was refused with `retry_ms`, under the same id. Says whether it could. */
    again(action) {
        if (this.status !== "live" || !this.#actions.again(action)) {
            return false;
        }
        this.#send(action);
        return true;
    }
    #send({ id, order }) {
        const shown = this.me;
        if (order.kind === "move" && order.x !== undefined && order.y !== undefined && shown !== null) {
            this.#own.claim(id, { x: order.x, y: order.y, ...(order.f !== undefined && { f: order.f }) }, shown);
        }
        this.#repeat(id, order);
    }
    #repeat(id, order) {
        if (this.handle !== null) {
            this.connection.send({ t: "action", d: { s: this.handle, id, ...order } });
        }
    }
    #say(t) {
        if (this.handle !== null) {
            this.connection.send({ t, d: { s: this.handle } });
        }
    }
    #sayReady() {
        if (this.#readyWanted && this.current && this.#view?.phase.phase === "preparation" && this.me?.ready === false) {
            this.#say("ready");
        }
    }
    joining() {
        const { session, epoch, rules } = this;
        const seq = this.#sound ? this.seq : undefined;
        const known = { ...(seq !== undefined && { seq }), ...(epoch !== undefined && { epoch }), ...(rules && { rules: rules.hash }) };
        return { t: "join", d: { session, ...known } };
    }
    receive(message) {
        switch (message.t) {
            case "joined":
                return message.d.type === "custom" || message.d.type === "player" ? undefined : this.#joined(message.d);
            case "snapshot":
                return this.#snapshot(message.d);
            case "delta":
                return this.#delta(message.d);
            case "ack":
                return "q" in message.d && this.#actions.ack(message.d) ? this.emit("ack", message.d) : undefined;
            case "refused":
                return this.#refused(message.d);
            case "forgotten":
                return this.#forgotten(message.d);
            case "result":
                this.outcome = message.d;
                this.#end(message.d);
                return this.emit("result", message.d);
            case "pong":
                return message.d.at === undefined ? undefined : this.#clock.set({ at: message.d.at, time: message.d.time });
        }
    }
    noticed(notice) {
        if (notice.reason === "rolled_back") {
            this.emit("rolled_back", notice);
        }
        else {
            super.noticed(notice);
        }
    }
    lost() {
        this.#unsure = true;
    }
    ended() {
        if (this.#actions.end()) {
            this.holds();
        }
        this.#own.reset();
        this.#end(this.outcome);
    }
    #joined(joined) {
        this.slot = joined.slot;
        this.team = joined.team;
        this.rules = joined.rules ?? this.rules;
        this.timers = joined.timers ?? this.timers;
        this.epoch = joined.epoch;
        this.#actions.joined(joined.last_id);
        this.#clock.set(joined);
        this.stands(false);
        this.emit("joined", joined);
        if (this.#unsure) {
            this.#unsure = false;
            this.#actions.pending.forEach(({ id, order }) => this.#repeat(id, order));
        }
        // The view that is here is gone on from; else a snapshot comes.
        if (joined.resume === "deltas" && this.#sound && this.#view !== null) {
            this.stands(true);
            this.#sayReady();
        }
    }
    #snapshot(snapshot) {
        try {
            this.#view = viewOf(snapshot);
        }
        catch (error) {
            return this.#drifted(error);
        }
        this.seq = snapshot.q;
        this.epoch = snapshot.epoch;
        this.#shows(snapshot);
        this.#others.snapshot(this.#view, snapshot.at);
        this.#sound = true;
        this.stands(true);
        if (snapshot.missed) {
            this.emit("missed", snapshot.missed);
        }
        this.emit("snapshot", snapshot);
        this.#sayReady();
    }
    #delta(delta) {
        const before = this.#view;
        if (!this.current || before === null || this.seq === undefined) {
            return;
        }
        try {
            this.#view = apply(before, this.seq, delta);
        }
        catch (error) {
            return this.#drifted(error);
        }
        this.seq = delta.q;
        this.#others.delta(delta, this.#view);
        this.#shows(delta);
        this.emit("delta", { ...delta, before });
        delta.ev?.forEach((event) => this.emit("event", event));
    }
    /** Takes what snapshots and deltas alike say beside the view. */
    #shows({ at, time, id }) {
        this.at = at;
        this.applied = id;
        this.#own.applied(id);
        this.#clock.set({ at, time }, this.#view?.phase.status !== "paused");
    }
    #refused(refused) {
        if (refused.id === 0) {
            this.#readyWanted = false;
            this.emit("refused", refused);
        }
        else {
            this.#own.refused(refused.id);
            if (this.#actions.refused(refused)) {
                this.emit("refused", refused);
            }
        }
    }
    #forgotten(forgotten) {
        if (forgotten.applied === false) {
            this.#own.refused(forgotten.id);
        }
        if (this.#actions.forgotten(forgotten)) {
            this.emit("forgotten", forgotten);
        }
    }
    /** The view is not the server's any more: a new one is asked for, or, after a gap, what is missing. */
    #drifted(drift) {
        this.#sound &&= drift.kind === "gap";
        this.stands(false);
        this.emit("drift", drift);
        this.joinAgain();
    }
}
function promised() {
    let resolve;
    const promise = new Promise((settle) => (resolve = settle));
    return { promise, resolve };
}
/** Connects and joins `session`; comes back by itself, and tells of everything by events. */
export function connect(options) {
    return new Fight(options.session, new Connection(options));
}
/** Joins another session of the player over a connection that there is. */
export function joinToo(connection, session) {
    return new Fight(session, connection);
}
