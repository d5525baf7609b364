// Hours of the life pointsman will have: does anything grow, and was every event done once?
//
//   soak.mjs      SECONDS=3600; RATE=events a second, otherwise a quarter of what this machine can do
//
// Real payloads about entities of which some are frequent, 5 % of them sent again, most over kept connections and some
// over new ones; backends that take 2 to 20 ms and answer one event in a hundred with 503, so that it is queued and
// tried again; modes that change, a rollback now and then, and configurations read anew. Redis remembers events for two
// minutes, so that its memory can be flat at all: runs of less than ten minutes show that it works, and no flatness.

import { fileURLToPath } from 'node:url';
import { table } from '../lib/figures.mjs';
import { SECRET } from '../lib/load.mjs';
import { Failure, pause, waitFor } from '../lib/processes.mjs';
import { flatness, lows } from './judge.mjs';
import { keep } from './keep.mjs';
import { fileBytes, onStage, sampled, usage } from './stage.mjs';

export const name = 'soak';
export const title = 'An hour of mixed life';

const SECONDS = Number(process.env.SECONDS || 3600);
const EVERY = Math.min(5000, Math.max(250, (SECONDS * 1000) / 200)); // between two samples, ms
const PHASE = Math.min(60, Math.max(5, SECONDS / 32)); // seconds of one load: all modes come in each quarter
const MIB = 2 ** 20;

/**
 * What is watched: how it is shown, and how much of a rise between the second and the last quarter is none. Connections
 * come and go, the more the slower the machine is at the time: of descriptors the lowest numbers count.
 */
export const WATCHED = {
  rss: { title: 'pointsman, resident', unit: MIB, name: 'MiB', share: 0.02, least: 2 * MIB },
  descriptors: { title: 'pointsman, descriptors (lows)', unit: 1, name: '', share: 0.1, least: 8, low: true },
  threads: { title: 'pointsman, threads', unit: 1, name: '', share: 0, least: 0.5 },
  redis: { title: 'Redis, used', unit: MIB, name: 'MiB', share: 0.03, least: MIB },
  journal: { title: 'journal on disk', unit: MIB, name: 'MiB', share: 0.1, least: 8 * MIB },
};

/** The mode that is set in the middle of each phase. What a shadow did counts for nothing: parallel is left to legacy. */
const PHASES = [
  { mode: 'gradual', percentage: 25 },
  { mode: 'gradual', percentage: 50 },
  { mode: 'emergency_rollback' },
  { mode: 'legacy_only' },
  { mode: 'parallel' },
  { mode: 'legacy_only' },
  { mode: 'gradual', percentage: 75 },
  { mode: 'new_only' },
];

const CONFIG = {
  store: { remember: '2m' },
  journal: { keep: '60s' },
  retry: { ladder: ['1s', '2s', '5s', '10s', '30s'] },
  sources: [{ path: '/webhooks/github', provider: 'github', secrets: [{ value: SECRET }] }],
};

const EVENTS = { payloads: 'bench/payloads', entities: 2000, distribution: 'zipf', duplicates: 5 };

async function quarter(s) {
  const run = await s.load({ ...EVENTS, connections: 128, warmUp: 1000, seconds: 3 }).report();
  return Math.round((run.answers.ok + run.answers.accepted_202) / run.seconds / 4);
}

/** Two loads side by side for one phase, and the change of mode in its middle. */
async function phase(s, n, rate) {
  const { mode, percentage } = PHASES[n % PHASES.length];
  const before = PHASES[(n + PHASES.length - 1) % PHASES.length].mode;
  const share = (part) => ({ ...EVENTS, rate: Math.round(rate * part), count: Math.round(rate * part * PHASE), seconds: Math.ceil(4 * PHASE) });
  const loads = [s.load(share(0.85)), s.load({ ...share(0.15), newConnections: true })];
  await pause((PHASE * 1000) / 2);
  const moved = await s.ask('PUT', '/v1/mode', { mode, percentage, reason: 'soak', force: true });
  if (moved.status !== 200) throw new Failure(`${mode} was answered ${moved.status}: ${moved.text}`);
  if (n % 4 === 3) s.instance.child.kill('SIGHUP');
  const parallel = mode === 'parallel' || before === 'parallel';
  return Promise.all(loads.map(async (load) => {
    const { run, total, answers, latency_us } = await load.report();
    return { run, mode, parallel, events: total.events, sent: total.sent, answers, p99_us: latency_us.p99 };
  }));
}

async function look(s) {
  const info = await s.store.call('INFO', 'memory');
  const { queue, mode } = await s.status();
  return {
    ...usage(s.pid), mode, ...queue,
    redis: Number(/used_memory:(\d+)/.exec(info)[1]),
    journal: fileBytes(s.var, 'journal.db'),
  };
}

async function phases(s, rate) {
  const runs = [];
  const began = performance.now();
  for (let n = 0; performance.now() - began < SECONDS * 1000 - PHASE * 500; n++) {
    runs.push(...await phase(s, n, rate));
    if (n % 5 === 4) console.log(`${Math.round((performance.now() - began) / 1000)} s, ${JSON.stringify(await look(s))}`);
  }
  return runs;
}

/** Events that were not done exactly once, by run: {run, events, done, twice, both}. */
export function unaccounted(runs, ledger) {
  return runs.flatMap((run) => {
    const { legacy, new: fresh, twice, both } = ledger[run.run] ?? { legacy: {}, new: {}, twice: 0, both: 0 };
    const done = (legacy.distinct ?? 0) + (fresh.distinct ?? 0) - both;
    const shadowed = run.parallel ? both : 0; // a shadow's copy is no second one
    const kept = done === run.events && twice === 0 && both === shadowed;
    return kept ? [] : [{ run: run.run, mode: run.mode, events: run.events, done, twice, both, legacy, new: fresh }];
  });
}

/** A verdict for each watched series of the samples. */
export function flatSeries(samples) {
  return Object.entries(WATCHED).map(([key, watched]) => {
    const points = samples.map((one) => [one.t, one[key]]);
    return { key, ...watched, ...flatness(watched.low ? lows(points) : points, watched) };
  });
}

const shown = (value, { unit }) => value / unit;

export const tables = ({ verdict }) => [[
  ['', 'second quarter', 'last quarter', 'slope an hour', 'rise allowed', ''],
  verdict.map((v) => [`${v.title}${v.name && `, ${v.name}`}`, shown(v.second, v), shown(v.end, v), shown(v.per_hour, v), shown(v.allowed, v),
    v.flat ? 'flat' : 'GROWS']),
]];

export const verdicts = () => [];

const sum = (runs, of) => runs.reduce((n, run) => n + of(run), 0);

/** What was sent and done, as a sentence. */
function account({ runs, errors, wrong, seconds }) {
  return `${sum(runs, (r) => r.events)} events in ${sum(runs, (r) => r.sent)} deliveries over ${seconds} s: ` +
    `${sum(runs, (r) => r.answers.ok)} done at once, ${sum(runs, (r) => r.answers.accepted_202)} answered 202, ` +
    `${sum(runs, (r) => r.answers.duplicate)} duplicates; ${errors} attempts failed and were tried again; ` +
    `${wrong.length === 0 ? 'each event was done exactly once' : `NOT each event was done exactly once: ${JSON.stringify(wrong)}`}`;
}

export const pictures = ({ samples, rate }) => ({
  soak: {
    title: `An hour of mixed life, ${rate} events/s`,
    x: { label: 'minutes' }, y: { label: 'MiB', kind: 'log' },
    series: ['rss', 'redis', 'journal'].map((key) => ({
      name: WATCHED[key].title, points: samples.slice(1).map((one) => [one.t / 60, Math.max(one[key], MIB) / MIB]),
    })),
  },
});

async function soak(s) {
  await s.redis();
  await s.backends({ latencyUs: '2000-20000', errors: '1=503' });
  await s.pointsman({ config: CONFIG });
  const rate = Number(process.env.RATE) || await quarter(s);
  console.log(`${rate} events/s for ${SECONDS} s`);
  const [runs, samples] = await sampled(EVERY, () => look(s), () => phases(s, rate));
  await waitFor('the queue is empty', s.instance, async () => (await s.status()).queue.pending === 0, 120);
  const ledger = await s.ledgerSays();
  const errors = Object.values(ledger).reduce((sum, run) => sum + run.errors, 0);
  return { rate, seconds: SECONDS, errors, runs, wrong: unaccounted(runs, ledger), verdict: flatSeries(samples), samples };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await keep(name, async () => {
    for (const [key, value] of [['SECONDS', SECONDS], ['RATE', Number(process.env.RATE || 1)]])
      if (!(value >= 1)) throw new Failure(`${key} is "${process.env[key]}"; a number of at least 1 is allowed`);
    const data = await onStage({ disk: true }, soak);
    for (const [head, rows] of tables(data)) console.log(table(head, rows));
    console.log(account(data));
    const growing = data.verdict.filter((v) => !v.flat).map((v) => `${v.title} grows`);
    const wrong = data.wrong.length > 0 ? ['not each event was done exactly once'] : [];
    return { data, failed: [...growing, ...wrong] };
  });
}
