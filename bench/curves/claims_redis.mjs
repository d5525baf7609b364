// Claims in Redis beside 10^4 to 10^7 remembered events: what a claim costs Redis in time and memory.
//
// Redis is filled with copies, made by Redis itself, of the records that one real event left: one for each event, and one
// in ten has an entity of its own.

import { Failure } from '../lib/processes.mjs';
import { figures, onStage } from './stage.mjs';

export const name = 'claims';
export const title = 'Claims in Redis, beside remembered events';

const RATE = 2000;
const BATCH = 20_000; // copies in one call
const EVENTS_PER_ENTITY = 10;
const sizes = (quick) => (quick ? [1e4, 1e6] : [1e4, 1e5, 1e6, 1e7]);

/** KEYS: a record. ARGV: what its copies' keys begin with, the first and the last number. */
const COPY = `for i = ARGV[2], ARGV[3] do
  redis.call('COPY', KEYS[1], ('%s%08x-cc78-11e3-81ab-4c9367dc0958'):format(ARGV[1], i)) end`;

async function keyOf(s, pattern) {
  const [, keys] = await s.store.call('SCAN', 0, 'MATCH', pattern, 'COUNT', 1000);
  if (keys.length === 0) throw new Failure(`the first events left nothing at ${pattern}`);
  return keys[0];
}

async function used(s) {
  return Number(/used_memory:(\d+)/.exec(await s.store.call('INFO', 'memory'))[1]);
}

/** Copies of the record, numbered; bytes per copy. "pointsman:ev:github:<id>" keeps its first three words. */
async function copies(s, key, from, to) {
  const before = await used(s);
  const begin = `${key.split(':').slice(0, 3).join(':')}:`;
  for (let at = from; at < to; at += BATCH) {
    await s.store.call('EVAL', COPY, 1, key, begin, at, Math.min(to, at + BATCH) - 1);
  }
  return ((await used(s)) - before) / (to - from);
}

async function events(s, seconds) {
  const cpu = { pointsman: s.pid, redis: s.store.pid };
  return figures(await s.load({ rate: RATE, warmUp: 500, seconds, cpu }).report(), Object.keys(cpu));
}

export async function run({ quick, say }) {
  return onStage({}, async (s) => {
    await s.redis();
    await s.backends();
    await s.pointsman();
    await s.load({ count: 100, entities: 1, connections: 1 }).report();
    const [event, entity] = [await keyOf(s, '*:ev:*'), await keyOf(s, '*:own:*')];
    const rows = [];
    for (const size of sizes(quick)) {
      say(`${size} remembered events`);
      const have = rows.at(-1)?.size ?? 0;
      const event_bytes = await copies(s, event, have, size);
      const entity_bytes = await copies(s, entity, have / EVENTS_PER_ENTITY, size / EVENTS_PER_ENTITY);
      rows.push({ size, event_bytes, entity_bytes, ...(await events(s, quick ? 2 : 6)), redis_bytes: await used(s) });
    }
    return { rate: RATE, rows };
  });
}

const GIB = 2 ** 30;

export const tables = ({ rate, rows }) => [[
  [`${rate} events/s beside`, 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU µs/event', 'Redis µs/event', 'bytes per event', 'per entity', 'Redis GiB'],
  rows.map((row) => [`${row.size.toLocaleString('en-US')} events`, row.p50_us / 1000, row.p99_us / 1000, row.p999_us / 1000,
    row.pointsman_us, row.redis_us, Math.round(row.event_bytes), Math.round(row.entity_bytes), row.redis_bytes / GIB]),
]];

export const verdicts = () => [];

const line = (rows, name, of) => ({ name, points: rows.map((row) => [row.size, of(row)]) });

export const pictures = ({ rate, rows }) => ({
  'claims-cost': {
    title: `What a claim and its finish cost, ${rate} events/s`,
    x: { label: 'events remembered in Redis', kind: 'log' }, y: { label: 'CPU, µs per event' },
    series: [line(rows, 'Redis', (row) => row.redis_us), line(rows, 'pointsman', (row) => row.pointsman_us)],
  },
  'claims-memory': {
    title: 'Memory of Redis',
    x: { label: 'events remembered', kind: 'log' }, y: { label: 'GiB', kind: 'log' },
    series: [line(rows, 'used_memory', (row) => row.redis_bytes / GIB)],
  },
});
