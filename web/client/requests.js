// Requests of a session that is no fight, and their answers. They are sent once: where the connection is lost before there is an
// answer it is not known whether they were done.
export class Requests {
    /** Ids rise for as long as the program runs, so that no connection has one twice. */
    #next = 1;
    #pending = new Map();
    /** Has `send` send a request under a new id; it says whether it could. The promise never rejects. */
    ask(send) {
        const id = this.#next++;
        return new Promise((resolve) => {
            if (send(id)) {
                this.#pending.set(id, resolve);
            }
            else {
                resolve({ kind: "refused", reason: "offline" });
            }
        });
    }
    /** Whether it was the answer to one. */
    done({ s: _, id, ...told }) {
        return this.#close(id, { kind: "ack", ...told });
    }
    refused({ id, reason, message, retry_ms: retryMs, version }) {
        return this.#close(id, {
            kind: "refused",
            reason,
            ...(message !== undefined && { message }),
            ...(retryMs !== undefined && { retryMs }),
            ...(version !== undefined && { version }),
        });
    }
    /** No answer can come any more; says whether one was waited for. */
    end() {
        const ids = [...this.#pending.keys()];
        ids.forEach((id) => this.#close(id, { kind: "unknown" }));
        return ids.length > 0;
    }
    #close(id, reply) {
        const settle = this.#pending.get(id);
        this.#pending.delete(id);
        settle?.(reply);
        return settle !== undefined;
    }
}
