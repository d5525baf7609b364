// The fixed runs of `make test`: different settings, and between them every fault alone at least once.

import { FAULTS } from './faults.mjs';

const USUAL = { whenDown: 'hold', onFailure: 'queue', namespace: false };

const RUNS = {
  'points-1': { ...USUAL, namespace: true },
  'points-2': { ...USUAL, idempotent: { legacy: false, new: false } },
  'points-3': { ...USUAL, idempotent: { legacy: true, new: true }, whenDown: 'local', onFailure: 'answer' },
  'points-4': { ...USUAL, whenDown: 'refuse' },
};

/** With a cable to Redis there are no relays, and the other way round. */
function fits(name, { namespace }) {
  if (name === 'redis_cut_off') return namespace;
  return !(namespace && FAULTS[name].on === 'link');
}

/** Each fault goes to the run that has the least to do so far and can have it. */
function deal() {
  const load = Object.fromEntries(Object.keys(RUNS).map((seed) => [seed, 0]));
  const singles = Object.fromEntries(Object.keys(RUNS).map((seed) => [seed, []]));
  const longest = Object.entries(FAULTS).sort(([, x], [, y]) => y.ms[1] - x.ms[1]);
  for (const [name, { ms }] of longest) {
    const able = Object.keys(RUNS).filter((seed) => fits(name, RUNS[seed]));
    const seed = able.reduce((best, one) => (load[one] < load[best] ? one : best));
    singles[seed].push(name);
    load[seed] += (ms[0] + ms[1]) / 2;
  }
  return singles;
}

const SINGLES = deal();

/** By seed: {run: settings, singles: names of faults that are injected alone}. */
export const SUITE = Object.fromEntries(Object.entries(RUNS).map(([seed, run]) => [seed, { run, singles: SINGLES[seed] }]));
