// Hours of the life pointsman will have: does anything grow, and was every event done once?
//
//   soak.mjs      SECONDS=3600; RATE=events a second, otherwise a quarter of what this machine can do
//
// Real payloads about entities of which some are frequent, 5 % of them sent again, most over kept connections and some
// over new ones; backends that take 2 to 20 ms and answer one event in a hundred with 503, so that it is queued and
// tried again; modes that change, a rollback now and then, and configurations read anew. Redis remembers events for two
// minutes, so that its memory can be flat at all.

import path from 'node:path';
import { pause, until } from '../../tests/e2e/harness/wait.mjs';
import { flatness } from './judge.mjs';
import { save, table } from './result.mjs';
import { fileBytes, ROOT, Stage, sampled, usage } from './stage.mjs';

const SECONDS = Number(process.env.SECONDS || 3600);
const EVERY = Math.min(5000, Math.max(250, (SECONDS * 1000) / 200)); // between two samples, ms
const PHASE = Math.min(60, Math.max(5, SECONDS / 12)); // seconds of one load
const MIB = 2 ** 20;
const ENTITIES = 2000;

/** What is watched: how it is shown, and how much of a rise between the second and the last quarter is none. */
export const WATCHED = {
  rss: { title: 'pointsman, resident', unit: MIB, name: 'MiB', share: 0.02, least: MIB },
  descriptors: { title: 'pointsman, descriptors', unit: 1, name: '', share: 0.05, least: 4 },
  threads: { title: 'pointsman, threads', unit: 1, name: '', share: 0, least: 0.5 },
  redis: { title: 'Redis, used', unit: MIB, name: 'MiB', share: 0.03, least: MIB },
  journal: { title: 'journal on disk', unit: MIB, name: 'MiB', share: 0.1, least: 8 * MIB },
};

/** One phase after the other: the mode that is set in the middle of each. */
const PHASES = [
  { mode: 'gradual', percentage: 25 },
  { mode: 'gradual', percentage: 50 },
  { mode: 'parallel' },
  { mode: 'gradual', percentage: 10 },
  { mode: 'emergency_rollback' },
  { mode: 'legacy_only' },
  { mode: 'gradual', percentage: 75 },
  { mode: 'new_only' },
];

const CONFIG = {
  store: { remember: '2m' },
  journal: { keep: '1m' },
  retry: { ladder: ['1s', '2s', '5s', '10s', '30s'] },
  sources: undefined,
};

async function open() {
  const s = new Stage('soak', { disk: true });
  try {
    await s.redis();
    await s.backends({ args: ['--latency-us', '2000-20000', '--errors', '1=503'] });
    await s.configure(CONFIG);
    await s.pointsman();
  } catch (error) {
    await s.close();
    throw error;
  }
  return s;
}

async function capacity(s) {
  const run = await s.load({ connections: 128, warmUp: 1000, seconds: 3, ...events() }).ended;
  return (run.answers.ok + run.answers.accepted_202) / run.seconds;
}

function events() {
  return { payloads: path.join(ROOT, 'bench/payloads'), entities: ENTITIES, distribution: 'zipf', duplicates: 5 };
}

/** Two loads side by side for one phase, and the change of mode in its middle. */
async function phase(s, n, rate) {
  const { mode, percentage } = PHASES[n % PHASES.length];
  const count = (share) => ({ rate: Math.round(rate * share), count: Math.round(rate * share * PHASE) });
  const loads = [
    s.load({ ...events(), ...count(0.85), connections: 64 }),
    s.load({ ...events(), ...count(0.15), connections: 64, newConnections: true }),
  ];
  await pause((PHASE * 1000) / 2);
  const moved = await s.ask('PUT', '/v1/mode', { mode, percentage, reason: 'soak', force: true });
  if (moved.status !== 200) throw new Error(`${mode} was answered ${moved.status}: ${moved.text}`);
  if (n % 4 === 3) s.instance.kill('SIGHUP');
  return Promise.all(loads.map(async (load) => ({ mode, ...(await load.ended) })));
}

async function look(s) {
  const info = await s.store.call('INFO', 'memory');
  const { queue, mode } = await s.status();
  return {
    ...usage(s.pid), mode, ...queue,
    redis: Number(/used_memory:(\d+)/.exec(info)[1]),
    journal: fileBytes(path.join(s.dir, 'var'), 'journal.db'),
  };
}

/** Events that were not done exactly once, by run: {run, events, done, twice, both}. */
export function unaccounted(runs, ledger) {
  return runs.flatMap((run) => {
    const { legacy, new: fresh, twice, both } = ledger[run.run] ?? { legacy: {}, new: {}, twice: 0, both: 0 };
    const done = (legacy.distinct ?? 0) + (fresh.distinct ?? 0) - both;
    const shadowed = run.parallel ? both : 0; // a shadow's copy is no second one
    const kept = done === run.events && twice === 0 && both === shadowed;
    return kept ? [] : [{ run: run.run, mode: run.mode, events: run.events, done, twice, both }];
  });
}

/** A verdict for each watched series of the samples. */
export function verdicts(samples) {
  return Object.entries(WATCHED).map(([key, watched]) =>
    ({ key, ...watched, ...flatness(samples.map((one) => [one.t, one[key]]), watched) }));
}
