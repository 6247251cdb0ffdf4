// What the rules of a fight say of what the view has only by number, and what follows from both. No DOM, no clock.

/** A pool's thousandths at session time `at`, of at most `most` points. */
function poolAt(milli, since, perSecond, most, at) {
  // Points a second are thousandths a millisecond.
  return Math.min(most * 1000, milli + Math.max(0, at - since) * perSecond);
}

/** A participant's stamina in thousandths at session time `at`. */
export function staminaAt({ stamina, stamina_at, stamina_rate }, rules, at) {
  return poolAt(stamina, stamina_at, stamina_rate, rules.stamina, at);
}

/** A participant's energy in thousandths at session time `at`. */
export function energyAt({ energy, energy_at, energy_rate }, rules, at) {
  return poolAt(energy, energy_at, energy_rate, rules.energy, at);
}

/** Session time at which a participant may raise the guard again. */
export function guardReadyAt({ guard_until: until }, rules) {
  return until === 0 ? 0 : until - rules.defend_ms + rules.defend_cooldown_ms;
}

/** How often a participant has used ability `a` in this round, and when it may again. */
export function useOf(participant, a) {
  const [, times = 0, readyAt = 0] = participant.used.find(([ability]) => ability === a) ?? [];
  return { times, readyAt };
}

/** The abilities and items a player uses, with their numbers; passives work by themselves. */
export function kitOf(rules) {
  return (rules?.abilities ?? [])
    .map((ability, a) => ({ ...ability, a }))
    .slice(0, rules?.kit ?? 0)
    .filter(({ kind }) => kind !== "passive");
}

/** What a participant is at most healthy with. */
export function healthOf(participant, rules) {
  const enemy = rules.enemies?.[participant.enemy];
  return Math.max(1, enemy ? enemy.health : rules.health, participant.hp);
}

/** The effects on a participant that last beyond `at`, with what the rules say of each; `leftMs` is null for the whole round. */
export function effectsOf(participant, rules, at) {
  return participant.effects
    .filter(([, , until]) => until === 0 || until > at)
    .map(([effect, stacks, until]) => ({
      ...rules.effects[effect],
      effect,
      stacks,
      leftMs: until === 0 ? null : until - at,
    }));
}

/** The effects that are on everybody this round. */
export function modifiersOf(view, rules) {
  return view.modifiers.map((effect) => ({ ...rules.effects[effect], effect, stacks: 1, leftMs: null }));
}

/** What a participant is doing, by the name its rules have for it. */
export function stateOf(participant, rules) {
  return rules.states?.[participant.state] ?? "idle";
}

/** Whether the cover in this place still stands. */
export function stands(cover, hp) {
  return cover.health === 0 || hp > 0;
}

/** The walls that still stand: nothing is seen or walked through them. */
export function wallsOf(rules, view) {
  return (rules.field?.covers ?? []).filter((cover, i) => cover.kind === "wall" && stands(cover, view.covers[i]));
}
