// Distances and walls on the field. Centimetres; x to the right, y down. No DOM.

/** Between two points. */
export function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** Whether `point` is inside the rectangle. */
export function inside({ x, y, w, h }, point) {
  return point.x >= x && point.x <= x + w && point.y >= y && point.y <= y + h;
}

/** Whether the way from `a` to `b` meets the rectangle. */
export function crosses(rect, a, b) {
  // The part of the way, from 0 to 1, that is between both pairs of sides.
  let [enter, leave] = [0, 1];
  for (const [from, to, low, high] of [
    [a.x, b.x, rect.x, rect.x + rect.w],
    [a.y, b.y, rect.y, rect.y + rect.h],
  ]) {
    const way = to - from;
    if (way === 0) {
      if (from < low || from > high) {
        return false;
      }
      continue;
    }
    const [first, second] = [(low - from) / way, (high - from) / way];
    enter = Math.max(enter, Math.min(first, second));
    leave = Math.min(leave, Math.max(first, second));
  }
  return enter <= leave;
}

/** Where one gets who walks from `at` by `dx`, `dy`: not out of the field, and along walls instead of through them. */
export function walked(at, dx, dy, field, walls) {
  const to = { x: bound(at.x + dx, field.width_cm), y: bound(at.y + dy, field.height_cm) };
  const free = (point) => !walls.some((wall) => crosses(wall, at, point));
  if (free(to)) {
    return to;
  }
  for (const slid of [{ x: to.x, y: at.y }, { x: at.x, y: to.y }]) {
    if (free(slid)) {
      return slid;
    }
  }
  return at;
}

function bound(value, most) {
  return Math.min(most, Math.max(0, value));
}
