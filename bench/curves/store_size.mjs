// Claims beside 10^4 to 10^7 remembered events: what one costs Redis in time and memory, and what senders feel of it.
//
//   store_size.mjs [redis|embedded …]     QUICK=1: up to 10^6
//
// Redis is filled with copies, made by Redis itself, of the records that one real event left; each event's is one, and
// one in ten has an entity of its own. The embedded store is filled the same way, through sqlite3, while nobody runs.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Failure } from '../lib/processes.mjs';
import { figures, fileBytes, onStage, usage } from './stage.mjs';

const QUICK = Boolean(process.env.QUICK);
const SIZES = QUICK ? [1e4, 1e6] : [1e4, 1e5, 1e6, 1e7];
const RATE = 2000;
const SECONDS = QUICK ? 2 : 6;
const BATCH = 20_000; // copies in one call
const EVENTS_PER_ENTITY = 10;

/** KEYS: a record. ARGV: what is put behind its key's prefix, from, to. */
const COPY = `for i = ARGV[2], ARGV[3] do
  redis.call('COPY', KEYS[1], ('%s%08x-cc78-11e3-81ab-4c9367dc0958'):format(ARGV[1], i)) end`;

async function keyOf(s, pattern) {
  const [, keys] = await s.store.call('SCAN', 0, 'MATCH', pattern, 'COUNT', 1000);
  if (keys.length === 0) throw new Failure(`one event left nothing at ${pattern}`);
  return keys[0];
}

async function used(s) {
  return Number(/used_memory:(\d+)/.exec(await s.store.call('INFO', 'memory'))[1]);
}

/** Copies of the record number `from` to `to`; bytes per copy. */
async function copies(s, key, from, to) {
  const before = await used(s);
  const prefix = key.slice(0, key.indexOf(':', key.indexOf(':', key.indexOf(':') + 1) + 1) + 1);
  for (let at = from; at < to; at += BATCH) {
    await s.store.call('EVAL', COPY, 1, key, prefix, at, Math.min(to, at + BATCH) - 1);
  }
  return ((await used(s)) - before) / (to - from);
}

/** What events cost at a steady rate: latency, pointsman's and the store's CPU. */
async function events(s) {
  const cpu = { pointsman: s.pid, ...(s.store ? { redis: s.store.pid } : {}) };
  return figures(await s.load({ rate: RATE, warmUp: 500, seconds: SECONDS, cpu }).report(), Object.keys(cpu));
}

const one = (s) => s.load({ count: 100, entities: 1, connections: 1 }).report();

export async function redis() {
  return onStage({}, async (s) => {
    await s.redis();
    await s.backends();
    await s.pointsman();
    await one(s);
    const [event, entity] = [await keyOf(s, '*:ev:*'), await keyOf(s, '*:own:*')];
    const out = [];
    for (let i = 0, have = 0; i < SIZES.length; have = SIZES[i++]) {
      const per_event = await copies(s, event, have, SIZES[i]);
      const per_entity = await copies(s, entity, have / EVENTS_PER_ENTITY, SIZES[i] / EVENTS_PER_ENTITY);
      out.push({ size: SIZES[i], per_event, per_entity, ...(await events(s)), redis_bytes: await used(s) });
    }
    return out;
  });
}

/** Rows `from` to `to` of the embedded store, copied from the first event's and the first entity's. */
function insert(file, from, to) {
  const rows = (kind, first, last) => `WITH RECURSIVE n(i) AS (SELECT ${first} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${last})
    INSERT OR IGNORE INTO record SELECT one.start || printf('%08x', (i * 2654435761) & 0xffffffff) || '-cc78-11e3-81ab-4c9367dc0958',
      one.value, one.expires FROM n, (SELECT substr(key, 1, instr(substr(key, instr(key, '${kind}:') + ${kind.length + 1}), ':')
      + instr(key, '${kind}:') + ${kind.length}) AS start, value, expires FROM record WHERE key LIKE '%${kind}:%' LIMIT 1) AS one;`;
  execFileSync('sqlite3', [file, 'PRAGMA cache_size = -2000000; PRAGMA synchronous = OFF; BEGIN;' +
    rows('ev', from, to) + rows('own', from / EVENTS_PER_ENTITY, to / EVENTS_PER_ENTITY) + 'COMMIT;']);
}

export async function embedded() {
  return onStage({ disk: true }, async (s) => {
    await s.backends();
    await s.pointsman();
    await one(s);
    const out = [];
    for (let i = 0, have = 0; i < SIZES.length; have = SIZES[i++]) {
      await s.leave();
      insert(join(s.var, 'store.db'), have, SIZES[i]);
      await s.pointsman();
      out.push({ size: SIZES[i], ...(await events(s)), file_bytes: fileBytes(s.var, 'store.db'), rss: usage(s.pid).rss });
    }
    return out;
  });
}
