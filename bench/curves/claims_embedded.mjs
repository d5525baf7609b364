// Claims in the embedded store beside 10^4 to 10^7 remembered events.
//
// Its file is filled through sqlite3 while nobody runs, with copies of the records that one real event left. Keys are in
// no order, as those of real events, so that inserts go all over the tree.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { figures, fileBytes, onStage, usage } from './stage.mjs';

export const name = 'embedded';
export const title = 'Claims in the embedded store, beside remembered events';

const RATE = 2000;
const EVENTS_PER_ENTITY = 10;
const sizes = (quick) => (quick ? [1e4, 1e6] : [1e4, 1e5, 1e6, 1e7]);

/** Copies, numbered, of the first record of the kind (ev, own): "ev:github:<id>" keeps its first two words. */
function copies(kind, from, to) {
  const word = `substr(key, 1, instr(key, ':') + instr(substr(key, instr(key, ':') + 1), ':'))`;
  return `INSERT OR IGNORE INTO record
    WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${to}),
      first AS (SELECT ${word} AS begin, value, expires FROM record WHERE key LIKE '${kind}:%' LIMIT 1)
    SELECT begin || printf('%08x', (i * 2654435761) & 0xffffffff) || '-cc78-11e3-81ab-4c9367dc0958', value, expires + i
      FROM n, first ORDER BY 1;`;
}

function fill(file, from, to) {
  const sql = `PRAGMA cache_size = -2000000; PRAGMA synchronous = OFF; BEGIN; ${copies('ev', from, to)}
    ${copies('own', from / EVENTS_PER_ENTITY, to / EVENTS_PER_ENTITY)} COMMIT;`;
  execFileSync('sqlite3', [file, sql], { stdio: 'pipe' });
}

async function events(s, seconds) {
  return figures(await s.load({ rate: RATE, warmUp: 500, seconds, cpu: { pointsman: s.pid } }).report(), ['pointsman']);
}

export async function run({ quick, say }) {
  return onStage({ disk: true }, async (s) => {
    await s.backends();
    await s.pointsman();
    await s.load({ count: 100, entities: 1, connections: 1 }).report();
    const rows = [];
    for (const size of sizes(quick)) {
      say(`${size} remembered events`);
      await s.leave();
      fill(join(s.var, 'store.db'), rows.at(-1)?.size ?? 0, size);
      await s.pointsman();
      const row = await events(s, quick ? 2 : 6);
      rows.push({ size, ...row, file_bytes: fileBytes(s.var, 'store.db'), rss: usage(s.pid).rss });
    }
    return { rate: RATE, rows };
  });
}

export const tables = ({ rate, rows }) => [[
  [`${rate} events/s beside`, 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU µs/event', 'file MiB', 'bytes per event', 'resident MiB'],
  rows.map((row) => [`${row.size.toLocaleString('en-US')} events`, row.p50_us / 1000, row.p99_us / 1000, row.p999_us / 1000,
    row.pointsman_us, row.file_bytes / 2 ** 20, Math.round(row.file_bytes / row.size), row.rss / 2 ** 20]),
]];

export const verdicts = () => [];

export const pictures = ({ rate, rows }) => ({
  embedded: {
    title: `Latency with claims in the embedded store, ${rate} events/s`,
    x: { label: 'events remembered on disk', kind: 'log' }, y: { label: 'ms', kind: 'log' },
    series: ['p50', 'p99', 'p999'].map((name) => ({
      name: name.replace('p999', 'p99.9'), points: rows.map((row) => [row.size, row[`${name}_us`] / 1000]),
    })),
  },
});
