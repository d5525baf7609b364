// 1, 2 and 4 workers: events a second, CPU per event and memory. Nothing is pinned: load, backends and store take their
// share of the cores, so events a second say what this machine does; whether workers are in each other's way shows in
// the CPU per event.

import { Stage, usage } from './stage.mjs';
import { ALL } from './stage.mjs';
import { median } from './judge.mjs';

const QUICK = Boolean(process.env.QUICK);
const ROUNDS = QUICK ? 2 : 5;

const STORES = { redis: {}, off: { store: { kind: 'embedded', claims: false, redis: undefined } } };

async function measure(workers, store) {
  const s = new Stage('workers');
  try {
    if (store === 'redis') await s.redis({ cores: ALL });
    await s.backends({ cores: ALL });
    await s.pointsman({ cores: ALL, config: { workers, ...STORES[store] } });
    const runs = [];
    for (let round = 0; round < ROUNDS; round++) {
      const run = await s.load({ cores: ALL, connections: 128, warmUp: 500, seconds: 2, cpu: `pointsman=${s.pid}` }).ended;
      runs.push({ rate: run.answers.ok / run.seconds, cpu_us: run.cpu_us.pointsman / run.answers.ok });
    }
    return { workers, store, rate: median(runs.map((r) => r.rate)), cpu_us: median(runs.map((r) => r.cpu_us)), rss: usage(s.pid).rss };
  } finally {
    await s.close();
  }
}

export async function workers() {
  const out = [];
  for (const store of Object.keys(STORES)) for (const n of [1, 2, 4]) {
    out.push(await measure(n, store));
    console.error(JSON.stringify(out.at(-1)));
  }
  return out;
}
