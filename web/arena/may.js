// What the player may do now, as far as the page can tell: the server has the last word. No DOM.

import { distance } from "./geometry.js";
import { effectsOf, energyAt, guardReadyAt, kitOf, modifiersOf, staminaAt, useOf } from "./rules.js";
import { aimOf } from "./aim.js";

const READY = { ok: true };

const not = (reason, waitMs) => ({ ok: false, reason, waitMs });

/**
 * Whether the player may do `kind`, with ability `a` where it is one: `{ok}`, and where not why (`reason`) and for how long
 * (`waitMs`), if that is known.
 */
export function mayAct(game, kind, a) {
  return standing(game) ?? able(game, kind, a) ?? (kind === "move" ? READY : special(game, kind, a)) ?? READY;
}

/** What keeps the player from doing anything. */
function standing(game) {
  if (!game.live) {
    return not("offline");
  }
  if (game.paused) {
    return not("paused");
  }
  if (game.phase !== "active" || game.outcome) {
    return not("wrong_phase");
  }
  if (game.me.status === "eliminated") {
    return not("eliminated");
  }
  const { turn } = game.view.phase;
  return turn !== undefined && turn !== game.slot ? not("not_your_turn") : null;
}

/** What effects and the cast that goes on keep the player from. */
function able(game, kind) {
  const effects = [...effectsOf(game.me, game.rules, game.time), ...modifiersOf(game.view, game.rules)];
  const stun = effects.find(({ stuns }) => stuns);
  if (stun) {
    return not("stunned", stun.leftMs ?? undefined);
  }
  const ban = effects.find(({ denies }) => denies?.includes(kind));
  if (ban) {
    return not("denied", ban.leftMs ?? undefined);
  }
  const [casting, until] = game.me.cast;
  const holds = casting !== undefined && until > game.time;
  const walksOn = kind === "move" && !game.rules.abilities[casting]?.channel;
  return holds && !walksOn ? not("busy", until - game.time) : null;
}

function special(game, kind, a) {
  if (game.waitsFor(kind, a)) {
    return not("pending");
  }
  switch (kind) {
    case "attack":
      return mayAttack(game);
    case "defend":
      return mayDefend(game);
    default:
      return mayUse(game, a);
  }
}

function mayAttack(game) {
  const { me, rules, time } = game;
  if (game.attackReadyAt > time) {
    return not("cooldown", game.attackReadyAt - time);
  }
  if (rules.ammo > 0 && me.ammo === 0) {
    return not("reloading", Math.max(0, me.reload_at - time) || undefined);
  }
  if (game.target === null || !game.isFoe(game.target)) {
    return not("needs_target");
  }
  const target = game.view.participants[game.target];
  return distance(game.place, target) > rules.attack_range_cm ? not("out_of_range") : null;
}

function mayDefend(game) {
  const { me, rules, time } = game;
  const waitMs = guardReadyAt(me, rules) - time;
  return waitMs > 0 ? not("cooldown", waitMs) : lacks("stamina", rules.defend_cost, game);
}

function mayUse(game, a) {
  const ability = kitOf(game.rules).find((one) => one.a === a);
  if (!ability) {
    return not("action_unavailable");
  }
  const { times, readyAt } = useOf(game.me, a);
  if (ability.uses > 0 && times >= ability.uses) {
    return not("used_up");
  }
  if (readyAt > game.time) {
    return not("cooldown", readyAt - game.time);
  }
  for (const [resource, points] of Object.entries(ability.cost ?? {})) {
    const missing = lacks(resource, points, game);
    if (missing) {
      return missing;
    }
  }
  const aim = aimOf(game, ability);
  return aim.ok ? null : not(aim.reason);
}

/** Why the player cannot pay `points` of `resource`; `null` where it can. */
function lacks(resource, points, { me, rules, time }) {
  const have = {
    stamina: staminaAt(me, rules, time) / 1000,
    energy: energyAt(me, rules, time) / 1000,
    charge: me.charge,
    ammo: me.ammo,
  }[resource];
  if (!(have < points)) {
    return null;
  }
  const rate = { stamina: me.stamina_rate, energy: me.energy_rate }[resource];
  return not(`not_enough_${resource}`, rate ? ((points - have) * 1000) / rate : undefined);
}
