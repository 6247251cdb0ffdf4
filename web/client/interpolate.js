// Where the others are drawn: a little in the past, between two places that the server has told. A delta is sent for every
// sequence, so one that says nothing of a participant says that it has told nothing new. Who says how it moves is drawn on a
// curve that has these velocities at its ends, and goes on for a moment where the next place is late.
const MARKS_MAX = 32;
/** Who has not been told of for longer than this was standing, and is drawn as starting this long before it arrived. */
const STEP_MS = 250;
/** Who moves on is drawn further for as long as this after the last place that was told. */
const AHEAD_MS = 250;
export class Interpolator {
    #tracks = [];
    /** Session time of the state that is known best. */
    #known = 0;
    /** A whole view: everybody is where it says, and was nowhere before. */
    snapshot(view, at) {
        this.#tracks = view.participants.map((who) => (who.hidden ? null : [mark(at, who)]));
        this.#known = at;
    }
    /** What a delta says of places; `view` is the one after it. */
    delta(delta, view) {
        this.#tracks.length = Math.min(this.#tracks.length, delta.n ?? Infinity);
        for (const { i, player, hidden, ...patch } of delta.p ?? []) {
            const who = view.participants[i];
            if (who === undefined || hidden) {
                this.#tracks[i] = null;
            }
            else if (player !== undefined) {
                this.#tracks[i] = who.hidden ? null : [mark(delta.at, who)];
            }
            else if ("x" in patch || "y" in patch) {
                this.#step(i, mark(delta.at, who));
            }
        }
        this.#known = delta.at;
    }
    #step(slot, next) {
        const track = this.#tracks[slot] ?? [];
        const last = track.at(-1);
        if (last !== undefined && !moves(last)) {
            const stood = Math.max(this.#known, next.at - STEP_MS);
            if (stood > last.at && stood < next.at) {
                track.push({ ...last, at: stood });
            }
        }
        track.push(next);
        track.splice(0, track.length - MARKS_MAX);
        this.#tracks[slot] = track;
    }
    /** Where the participant in `slot` was at session time `at`; `null` where it was not seen. */
    place(slot, at) {
        const track = this.#tracks[slot];
        const next = track?.findIndex((mark) => mark.at > at) ?? -1;
        const [before, after] = next < 0 ? [track?.at(-1), undefined] : [track?.[next - 1], track?.[next]];
        if (before !== undefined && after !== undefined) {
            return between(before, after, at);
        }
        return before !== undefined ? beyond(before, at) : after !== undefined ? pose(after) : null;
    }
}
const mark = (at, { x, y, f, vx = 0, vy = 0 }) => ({ at, x, y, vx, vy, ...(f !== undefined && { f }) });
const moves = ({ vx, vy }) => Boolean(vx) || Boolean(vy);
const pose = ({ x, y, f }) => ({ x, y, ...(f !== undefined && { f }) });
function beyond(last, at) {
    const seconds = Math.min(at - last.at, AHEAD_MS) / 1_000;
    return { ...pose(last), x: last.x + (last.vx ?? 0) * seconds, y: last.y + (last.vy ?? 0) * seconds };
}
function between(before, after, at) {
    const seconds = (after.at - before.at) / 1_000;
    const share = (at - before.at) / (after.at - before.at);
    // Who says nothing of its velocity goes straight and evenly.
    const curved = moves(before) || moves(after);
    const along = (from, to, leaves, arrives) => curved ? cubic(share, from, to, leaves * seconds, arrives * seconds) : from + (to - from) * share;
    const f = turned(before.f, after.f, share);
    return {
        x: along(before.x, after.x, before.vx ?? 0, after.vx ?? 0),
        y: along(before.y, after.y, before.vy ?? 0, after.vy ?? 0),
        ...(f !== undefined && { f }),
    };
}
/**
 * A cubic Hermite curve with these slopes at its ends. They are bounded as Fritsch and Carlson have it, so that it never leaves
 * the way between the two values: nobody is drawn where it cannot have been.
 */
function cubic(share, from, to, leaves, arrives) {
    const way = to - from;
    const bounded = (slope) => (way > 0 ? Math.min(3 * way, Math.max(0, slope)) : Math.max(3 * way, Math.min(0, slope)));
    const [square, cube] = [share ** 2, share ** 3];
    return (from + way * (3 * square - 2 * cube) + bounded(leaves) * (cube - 2 * square + share) + bounded(arrives) * (cube - square));
}
/** Between two directions, by the shorter way. */
function turned(from, to, share) {
    if (from === undefined || to === undefined) {
        return to ?? from;
    }
    const turn = ((to - from + 540) % 360) - 180;
    return (from + turn * share + 360) % 360;
}
