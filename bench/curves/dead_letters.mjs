// 10^4 to 10^6 dead events on disk: starting, looking, deciding, and what live traffic feels of them.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { median } from '../lib/figures.mjs';
import { ALL_CORES as cores, Failure } from '../lib/processes.mjs';
import { figures, fileBytes, onStage, usage } from './stage.mjs';

export const name = 'dead';
export const title = 'Dead letters';

const sizes = (quick) => (quick ? [1e4, 1e5] : [1e4, 1e5, 1e6]);
const DECIDED = 5000; // replayed, and as many dropped
const BODY = 'x'.repeat(1024);

/** `count` dead events, and some more to be replayed (pushes) and dropped (labels). */
function fill(s, name, count) {
  const row = { entity: 'octocat/Hello-World#', side: 'new', reason: 'rejected', status: 422, body: BODY };
  const rows = [
    { ...row, count, id: `${name}-dead-` },
    { ...row, count: DECIDED, id: `${name}-replay-`, type: 'push' },
    { ...row, count: DECIDED, id: `${name}-drop-`, type: 'label' },
  ];
  const input = rows.map((one) => `${JSON.stringify(one)}\n`).join('');
  const { status, stderr } = spawnSync('build/tests/unit/journal_fill', [s.file], { input, encoding: 'utf8' });
  if (status !== 0) throw new Failure(`journal_fill: ${stderr}`);
}

/** The median of some GETs, ms; the last answer. */
async function get(s, target) {
  const took = [];
  let answer;
  for (let i = 0; i < 5; i++) {
    const began = performance.now();
    answer = await s.ask('GET', target);
    took.push(performance.now() - began);
    if (answer.status !== 200) throw new Failure(`${target} was answered ${answer.status}: ${answer.text}`);
  }
  return [median(took), answer];
}

/** Events a second of a bulk command. */
async function decide(s, ...words) {
  const began = performance.now();
  const env = { ...process.env, POINTSMAN_ADMIN: `http://127.0.0.1:${s.admin}` };
  const [code] = await once(spawn('build/pointsman', ['dead', ...words, '--yes'], { env, stdio: 'ignore' }), 'exit');
  if (code !== 0) throw new Failure(`dead ${words.join(' ')} ended with ${code}`);
  return DECIDED / ((performance.now() - began) / 1000);
}

async function measure(s, size) {
  const began = performance.now();
  await s.pointsman({ cores });
  const start_ms = performance.now() - began;
  const { rss } = usage(s.pid);
  const file_bytes = fileBytes(s.var, 'journal.db');
  const [status_ms] = await get(s, '/v1/status');
  const [page_ms] = await get(s, '/v1/dead?limit=100');
  const [counted_ms] = await get(s, '/v1/dead?limit=1&count=1');
  const [filtered_ms] = await get(s, '/v1/dead?limit=100&entity=octocat%2FHello-World%2342');
  const live = figures(await s.load({ cores, rate: 1000, seconds: 3, connections: 32, warmUp: 500 }).report(), []);
  const replayed_s = await decide(s, 'replay', '--type', 'push');
  const dropped_s = await decide(s, 'drop', '--type', 'label');
  return { size, start_ms, rss, file_bytes, status_ms, page_ms, counted_ms, filtered_ms, live, replayed_s, dropped_s };
}

export async function run({ quick, say }) {
  return onStage({ disk: true }, async (s) => {
    await s.backends({ cores });
    s.configure({ journal: { max_bytes: '100GiB' } });
    const rows = [];
    for (const size of sizes(quick)) {
      say(`${size} dead events`);
      fill(s, size, size - (rows.at(-1)?.size ?? 0));
      rows.push(await measure(s, size));
      await s.leave();
    }
    return { rows };
  });
}

const FIGURES = [
  ['from start to ready, ms', (row) => row.start_ms],
  ['resident MiB', (row) => row.rss / 2 ** 20],
  ['journal MiB', (row) => row.file_bytes / 2 ** 20],
  ['GET /v1/status, ms', (row) => row.status_ms],
  ['a page of 100, ms', (row) => row.page_ms],
  ['how many there are (count=1), ms', (row) => row.counted_ms],
  ['a page of one entity, ms', (row) => row.filtered_ms],
  ['live events beside, p99 ms', (row) => row.live.p99_us / 1000],
  ['replayed/s', (row) => Math.round(row.replayed_s)],
  ['dropped/s', (row) => Math.round(row.dropped_s)],
];

export const tables = ({ rows }) => [[
  ['', ...rows.map((row) => `${row.size.toLocaleString('en-US')} dead`)],
  FIGURES.map(([what, of]) => [what, ...rows.map(of)]),
]];

export const verdicts = () => [];

const line = (rows, name, of) => ({ name, points: rows.map((row) => [row.size, of(row)]) });

export const pictures = ({ rows }) => ({
  dead: {
    title: 'What operators wait for, by dead letters',
    x: { label: 'dead events on disk', kind: 'log' }, y: { label: 'ms', kind: 'log' },
    series: [
      line(rows, 'start to ready', (row) => row.start_ms), line(rows, 'count of all', (row) => row.counted_ms),
      line(rows, 'page of one entity', (row) => row.filtered_ms), line(rows, 'page of 100', (row) => row.page_ms),
      line(rows, 'status', (row) => row.status_ms),
    ],
  },
});
