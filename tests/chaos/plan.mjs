// From a seed: the settings of a run and the timeline of its faults, first one at a time, then in combinations.

import { FAULTS } from './faults.mjs';
import { merge } from '../e2e/harness/yaml.mjs';
import { USUAL } from './parts/config.mjs';
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
    namespace: rng.chance(0.25),
  };
}

/**
 * {seed, run, rate, twins, again, rejects, steer, steps: [{at, name, target, params, ms}]}: times in ms from the
 * beginning. `only`: names of faults; `singles`: those of them that are injected alone, all of them; `targets(name)` lists
 * what the world offers; a fault without a target is left out.
 */
export function plan({ seed, seconds, only, singles, run = {}, targets }) {
  const rng = new Rng(seed).fork('plan');
  const settings = { ...settingsOf(rng.fork('settings')), ...run };
  const { timeout } = merge(USUAL, settings);
  const names = (only ?? Object.keys(FAULTS)).filter((name) => targets(name, settings).length > 0);
  const draw = (name) => {
    const fault = FAULTS[name];
    const target = rng.pick(targets(name, settings));
    const params = fault.params(rng, { timeout });
    return { name, target, params, ms: rng.int(...fault.ms), occupies: occupies(name, target) };
  };
  const steps = [];
  let at = OPENING_MS;
  const put = (some) => {
    steps.push(...some);
    at = Math.max(...some.map((step) => step.at + step.ms)) + rng.int(200, 900);
  };
  const middle = OPENING_MS + seconds * (only ? 1000 : 650);
  for (const name of rng.shuffle(names.filter((one) => !singles || singles.includes(one)))) {
    if (singles || at < middle) put([{ ...draw(name), at }]);
  }
  const end = singles ? at + seconds * 350 : OPENING_MS + seconds * 1000;
  while (at < end) put(combination(rng, names, at, draw));
  return {
    seed, run: settings, steps,
    rate: rng.int(50, 110), twins: 0.1, again: 0.05, rejects: 0.02, steer: rng.chance(0.9),
  };
}

/** Two or three faults that overlap and do not occupy the same. */
function combination(rng, names, at, draw) {
  const steps = [];
  const count = rng.int(2, 3);
  for (let tries = 0; tries < 20 && steps.length < count; tries++) {
    const step = { ...draw(rng.pick(names)), at: at + rng.int(0, 1000) };
    if (!steps.some((other) => clash(step, other))) steps.push(step);
  }
  return steps;
}
