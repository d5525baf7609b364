// 1, 2 and 4 workers: events a second, CPU per event and memory. Nothing is pinned: load, backends and store take their
// share of the cores, so events a second say what this machine does; whether workers are in each other's way shows in
// the CPU per event.

import { median } from '../lib/figures.mjs';
import { ALL_CORES as cores } from '../lib/processes.mjs';
import { figures, onStage, usage } from './stage.mjs';

const QUICK = Boolean(process.env.QUICK);
const ROUNDS = QUICK ? 2 : 5;

const STORES = { redis: {}, off: { store: { kind: 'embedded', claims: false } } };

async function measure(s, workers, store) {
  if (store === 'redis') await s.redis({ cores });
  await s.backends({ cores });
  await s.pointsman({ cores, config: { workers, ...STORES[store] } });
  const runs = [];
  for (let round = 0; round < ROUNDS; round++) {
    const load = s.load({ cores, connections: 128, warmUp: 500, seconds: 2, cpu: { pointsman: s.pid } });
    runs.push(figures(await load.report(), ['pointsman']));
  }
  const of = (name) => median(runs.map((run) => run[name]));
  return { workers, store, rate: of('rate'), cpu_us: of('pointsman_us'), rss: usage(s.pid).rss };
}

export async function workers() {
  const out = [];
  for (const store of Object.keys(STORES)) {
    for (const n of [1, 2, 4]) out.push(await onStage({}, (s) => measure(s, n, store)));
  }
  return out;
}
