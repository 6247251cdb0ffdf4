// Events with types. A listener that throws keeps nobody else from hearing, and breaks nothing here.
export class Emitter {
    #listeners = new Map();
    /** Calls `listener` with every `name` from now on, until what this returns is called. */
    on(name, listener) {
        const listeners = this.#listeners.get(name) ?? new Set();
        this.#listeners.set(name, listeners.add(listener));
        return () => listeners.delete(listener);
    }
    emit(name, value) {
        for (const listener of [...(this.#listeners.get(name) ?? [])]) {
            try {
                listener(value);
            }
            catch (error) {
                queueMicrotask(() => {
                    throw error;
                });
            }
        }
    }
}
