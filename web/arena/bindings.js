// Which key does what: the rules name the keys of abilities, and what else there is takes keys that these leave free. No DOM.

import { kitOf } from "./rules.js";

/** What walking, aiming and leaving the field need. */
const TAKEN = ["W", "A", "S", "D", "SPACE", "TAB", "ESCAPE"];
const WISHES = { defend: ["F", "G", "B"], head: ["Shift", "Z", "Y", "T"], limb: ["C", "V", "N", "H"] };
const SPARE = ["Q", "E", "R", "X", "T", "H", "Y", "U", "J", "K", "L", "M", "P", "O", "I"];

/** `{attack, defend, head, limb, kit}`, the last one by ability: names of keys, empty where none is left. */
export function bindingsOf(rules) {
  const kit = kitOf(rules);
  const used = new Set(TAKEN);
  const take = (wishes) => {
    const key = wishes.find((one) => !used.has(one.toUpperCase())) ?? "";
    used.add(key.toUpperCase());
    return key;
  };
  const named = new Map(kit.map(({ a, key }) => [a, take([key || "TAB"])]));
  const own = Object.fromEntries(Object.entries(WISHES).map(([name, wishes]) => [name, take(wishes)]));
  const keys = new Map(kit.map(({ a }) => [a, named.get(a) || take(SPARE)]));
  return { attack: "Space", ...own, kit: keys };
}
