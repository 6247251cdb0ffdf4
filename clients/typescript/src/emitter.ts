// Events with types. A listener that throws keeps nobody else from hearing, and breaks nothing here.

type Listener = (value: never) => void;

export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<Listener>>();

  /** Calls `listener` with every `name` from now on, until what this returns is called. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set<Listener>();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (value: Events[Name]) => void)(value);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
