// JSON merge patches (RFC 7396).
/** `target` after `patch`; both stay as they were. */
export function merged(target, patch) {
    if (!isObject(patch)) {
        return patch;
    }
    const after = new Map(isObject(target) ? Object.entries(target) : []);
    for (const [key, value] of Object.entries(patch)) {
        if (value === null) {
            after.delete(key);
        }
        else {
            after.set(key, merged(after.get(key) ?? null, value));
        }
    }
    // Not by assignment: a key may be `__proto__`.
    return Object.fromEntries(after);
}
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
