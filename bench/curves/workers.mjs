// 1, 2 and 4 workers: events a second, CPU per event and memory. Nothing is pinned: load, backends and store take their
// share of the cores, so events a second say what this machine does; whether workers are in each other's way shows in
// the CPU per event.

import { median } from '../lib/figures.mjs';
import { ALL_CORES as cores } from '../lib/processes.mjs';
import { figures, onStage, usage } from './stage.mjs';

export const name = 'workers';
export const title = 'Workers';

const COUNTS = [1, 2, 4];
const STORES = { redis: {}, off: { store: { kind: 'embedded', claims: false } } };

async function measure(s, workers, store, rounds) {
  if (store === 'redis') await s.redis({ cores });
  await s.backends({ cores });
  await s.pointsman({ cores, config: { workers, ...STORES[store] } });
  const runs = [];
  for (let round = 0; round < rounds; round++) {
    const load = s.load({ cores, connections: 128, warmUp: 500, seconds: 2, cpu: { pointsman: s.pid } });
    runs.push(figures(await load.report(), ['pointsman']));
  }
  const of = (name) => median(runs.map((run) => run[name]));
  return { workers, store, rate: of('rate'), cpu_us: of('pointsman_us'), rss: usage(s.pid).rss };
}

export async function run({ quick, say }) {
  const rows = [];
  for (const store of Object.keys(STORES)) {
    for (const workers of COUNTS) {
      say(`${workers} workers, claims: ${store}`);
      rows.push(await onStage({}, (s) => measure(s, workers, store, quick ? 2 : 5)));
    }
  }
  return { rows };
}

export const tables = ({ rows }) => [[
  ['claims', 'workers', 'events/s', 'CPU µs/event', 'resident MiB'],
  rows.map((row) => [row.store, row.workers, Math.round(row.rate), row.cpu_us, row.rss / 2 ** 20]),
]];

export const verdicts = () => [];

const lines = (rows, name) => Object.keys(STORES).map((store) => ({
  name: store === 'off' ? 'no claims' : `claims in ${store}`,
  points: rows.filter((row) => row.store === store).map((row) => [row.workers, row[name]]),
}));

export const pictures = ({ rows }) => ({
  workers: {
    title: 'Events a second by workers, on two cores that load and backends share',
    x: { label: 'workers', ticks: COUNTS }, y: { label: 'events/s' }, series: lines(rows, 'rate'),
  },
  'workers-cpu': {
    title: 'What an event costs by workers',
    x: { label: 'workers', ticks: COUNTS }, y: { label: 'CPU of pointsman, µs per event' }, series: lines(rows, 'cpu_us'),
  },
});
