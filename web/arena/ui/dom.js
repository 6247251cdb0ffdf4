// The few helpers with which the UI makes and changes elements.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `data` and `on` hold data attributes and listeners, everything else is an attribute; `true` is an empty one. */
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, { data = {}, on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(data)) {
    mark(node, name, value);
  }
  for (const [name, listener] of Object.entries(on)) {
    node.addEventListener(name, listener);
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== undefined) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children);
  return node;
}

/** Sets the text where it differs: an unchanged live region is not read again. */
export function say(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Shows or hides. */
export function show(node, shown) {
  node.hidden = !shown;
}

/** Sets a data attribute, or takes it away where `value` is nothing. */
export function mark(node, name, value) {
  if (value === undefined || value === null || value === false) {
    delete node.dataset[name];
  } else if (node.dataset[name] !== String(value)) {
    node.dataset[name] = value;
  }
}

/** Sets an attribute where it differs: what is set is painted again. */
export function set(node, name, value) {
  if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

/** How full a bar is, 0 to 1. */
export function level(node, share) {
  const scale = `scaleX(${Math.min(1, Math.max(0, share)).toFixed(3)})`;
  if (node.style.transform !== scale) {
    node.style.transform = scale;
  }
}

/** Whether things may fly about. */
export function lively() {
  return !matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Whether there is probably no keyboard. */
export function touch() {
  return matchMedia("(hover: none) and (pointer: coarse)").matches;
}
