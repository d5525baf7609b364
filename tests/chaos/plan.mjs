// From a seed: the settings of a run and the timeline of its faults, first one at a time, then in combinations.

import { FAULTS } from './faults.mjs';
import { Rng } from './parts/rng.mjs';

const OPENING_MS = 2500;

/** Faults that cannot be had together: the key of what each occupies. */
function occupies(name, target) {
  const { on } = FAULTS[name];
  if (on === 'link' || on === 'redis') return ['redis'];
  if (on === 'backends') return ['backend legacy', 'backend new'];
  if (on === 'clock' || on === 'disk') return [`${on} ${target}`];
  return [`${on} ${target}`];
}

const clash = (x, y) => x.occupies.some((key) => y.occupies.includes(key));

function settingsOf(rng) {
  return {
    whenDown: rng.pick(['hold', 'hold', 'hold', 'local', 'refuse']),
    onFailure: rng.pick(['queue', 'queue', 'queue', 'answer']),
    idempotent: { legacy: rng.chance(0.2), new: rng.chance(0.3) },
    sticky: rng.pick(['2s', '500ms', 'in_flight', 'closed']),
  };
}

/**
 * {seed, run, rate, twins, again, rejects, steer, steps: [{at, name, target, params, ms}], until}: times in ms from
 * the beginning. `only`: names of faults; `slice` [i, n]: the i-th of n runs that share all faults between them;
 * `targets(name)` lists what the world offers; a fault without a target is left out.
 */
export function plan({ seed, seconds, only, slice, run = {}, targets }) {
  const rng = new Rng(seed).fork('plan');
  const settings = { ...settingsOf(rng.fork('settings')), ...run };
  const names = (only ?? Object.keys(FAULTS)).filter((name) => targets(name, settings).length > 0);
  const end = OPENING_MS + seconds * 1000;
  const draw = (name) => {
    const fault = FAULTS[name];
    const target = rng.pick(targets(name, settings));
    const params = fault.params(rng, { timeout: settings.timeout ?? 1000 });
    return { name, target, params, ms: rng.int(...fault.ms), occupies: occupies(name, target) };
  };
  const steps = [];
  let at = OPENING_MS;
  const singles = singlesOf(rng, names, slice);
  const middle = only ? end : OPENING_MS + seconds * 1000 * 0.65;
  while (at < middle && singles.length > 0) {
    const step = { ...draw(singles.shift()), at };
    steps.push(step);
    at += step.ms + rng.int(200, 900);
  }
  while (at < end) {
    const together = [];
    const count = rng.int(2, 3);
    for (let tries = 0; tries < 20 && together.length < count; tries++) {
      const step = { ...draw(rng.pick(names)), at: at + rng.int(0, 1000) };
      if (!together.some((other) => clash(step, other))) together.push(step);
    }
    steps.push(...together);
    at = Math.max(...together.map((step) => step.at + step.ms)) + rng.int(200, 900);
  }
  return {
    seed, run: settings, steps, until: Math.max(at, end),
    rate: rng.int(50, 110), twins: 0.1, again: 0.05, rejects: 0.02, steer: rng.chance(0.9),
  };
}

/** A slice takes every n-th of one order that all slices share. */
function singlesOf(rng, names, slice) {
  if (!slice) return rng.shuffle(names);
  const [i, n] = slice;
  return rng.shuffle(names.filter((_, at) => at % n === i % n));
}
