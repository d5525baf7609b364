// All events about different issues, some issues frequent, nearly all about one: in parallel as they come, and in order.

import { waitFor } from '../lib/processes.mjs';
import { figures, onStage } from './stage.mjs';

export const name = 'entities';
export const title = 'Events about one issue';

const RATE = 2000;
const ORDERED_RATE = 300;
const KINDS = ['uniform', 'zipf', 'hot'];

async function unordered(s, distribution, seconds) {
  const load = s.load({ rate: RATE, distribution, warmUp: 500, seconds, cpu: { pointsman: s.pid, redis: s.store.pid } });
  return figures(await load.report(), ['pointsman', 'redis']);
}

/** `order: entity`: what is answered by the backend at once, and how fast the lines on disk move. */
async function ordered(s, distribution, seconds) {
  const began = performance.now();
  const load = s.load({ path: '/webhooks/ordered', rate: ORDERED_RATE, distribution, count: ORDERED_RATE * seconds, seconds: 60 });
  const run = await load.report();
  await waitFor('the lines are empty', s.instance, async () => (await s.status()).queue.pending === 0, 300);
  const took = (performance.now() - began) / 1000;
  return { offered: ORDERED_RATE, done_s: run.total.sent / took, at_once: run.answers.ok / run.total.sent, ...figures(run, []) };
}

export async function run({ quick, say }) {
  return onStage({ disk: true }, async (s) => {
    await s.redis();
    await s.backends({ latencyUs: 5000 });
    s.configure();
    const [source] = s.config.sources;
    const line = { ...source, path: '/webhooks/ordered', name: 'ordered', order: 'entity', on_failure: 'queue' };
    await s.pointsman({ config: { sources: [source, line] } });
    const rows = [];
    for (const kind of KINDS) {
      say(kind);
      const seconds = quick ? 2 : 6;
      rows.push({ kind, none: await unordered(s, kind, seconds), entity: await ordered(s, kind, seconds) });
    }
    return { rate: RATE, ordered_rate: ORDERED_RATE, rows };
  });
}

const ms = (us) => us / 1000;

export const tables = ({ rate, ordered_rate, rows }) => [
  [
    [`order: none, ${rate} events/s`, 'p50 ms', 'p99 ms', 'CPU µs/event', 'Redis µs/event'],
    rows.map(({ kind, none: m }) => [kind, ms(m.p50_us), ms(m.p99_us), m.pointsman_us, m.redis_us]),
  ],
  [
    [`order: entity, ${ordered_rate} events/s`, 'p50 ms', 'p99 ms', 'answered by the backend %', 'done/s'],
    rows.map(({ kind, entity: m }) => [kind, ms(m.p50_us), ms(m.p99_us), m.at_once * 100, m.done_s]),
  ],
];

export const verdicts = () => [];

const SHARE = { uniform: 100 / 2000, zipf: 12.2, hot: 90 }; // of the most frequent of 2,000 issues, %

export const pictures = ({ ordered_rate, rows }) => ({
  entities: {
    title: 'Events done in order, by how many are about one issue',
    x: { label: 'events about the most frequent issue, %', kind: 'log' }, y: { label: 'events done a second' },
    series: [{ name: 'order: entity', points: rows.map((row) => [SHARE[row.kind], row.entity.done_s]) }],
    limits: [{ name: `offered, ${ordered_rate}/s`, y: ordered_rate }],
  },
});
