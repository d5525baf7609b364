// 10^4 to 10^6 dead events on disk: starting, looking, deciding, and what live traffic feels of them.

import fs from 'node:fs';
import path from 'node:path';
import { run } from '../../tests/e2e/harness/children.mjs';
import { median } from './judge.mjs';
import { fileBytes, ROOT, Stage, usage } from './stage.mjs';

const QUICK = Boolean(process.env.QUICK);
const SIZES = QUICK ? [1e4, 1e5] : [1e4, 1e5, 1e6];
const FILL = path.join(ROOT, 'build/tests/unit/journal_fill');
const DECIDED = 5000; // replayed, and as many dropped
const BODY = 'x'.repeat(1024);

/** `count` dead events, and some more to be replayed (pushes) and dropped (labels). */
async function fill(s, name, count) {
  const file = path.join(s.dir, 'rows.json');
  const row = { entity: 'octocat/Hello-World#', side: 'new', reason: 'rejected', status: 422, body: BODY };
  const rows = [
    { ...row, count, id: `${name}-dead-` },
    { ...row, count: DECIDED, id: `${name}-replay-`, type: 'push' },
    { ...row, count: DECIDED, id: `${name}-drop-`, type: 'label' },
  ];
  fs.writeFileSync(file, rows.map((one) => `${JSON.stringify(one)}\n`).join(''));
  const child = s.start('fill', '0-1', 'sh', ['-c', `exec '${FILL}' '${s.file}' < '${file}'`]);
  const { code } = await child.ended;
  if (code !== 0) throw new Error(`journal_fill: ${fs.readFileSync(child.file, 'utf8')}`);
}

/** The median of some GETs, ms; the last answer. */
async function get(s, target) {
  const took = [];
  let answer;
  for (let i = 0; i < 5; i++) {
    const began = performance.now();
    answer = await s.ask('GET', target);
    took.push(performance.now() - began);
    if (answer.status !== 200) throw new Error(`${target} was answered ${answer.status}: ${answer.text}`);
  }
  return [median(took), answer];
}

/** Events a second of a bulk command. */
async function decide(s, ...words) {
  const began = performance.now();
  const { code, stdout, stderr } = await run(path.join(ROOT, 'build/pointsman'), ['dead', ...words, '--yes'],
    { env: { ...process.env, POINTSMAN_ADMIN: `http://127.0.0.1:${s.admin}` } });
  if (code !== 0) throw new Error(`dead ${words.join(' ')}: ${stdout}${stderr}`);
  return DECIDED / ((performance.now() - began) / 1000);
}

async function measure(s, size) {
  const began = performance.now();
  await s.pointsman({ cores: '0-1' });
  const start_ms = performance.now() - began;
  const { rss } = usage(s.pid);
  const [status_ms] = await get(s, '/v1/status');
  const [page_ms] = await get(s, '/v1/dead?limit=100');
  const [counted_ms] = await get(s, '/v1/dead?limit=1&count=1');
  const [filtered_ms] = await get(s, '/v1/dead?limit=100&entity=octocat%2FHello-World%2342');
  const live = await s.load({ cores: '0-1', rate: 1000, seconds: 3, connections: 32, warmUp: 500 }).ended;
  const replayed_s = await decide(s, 'replay', '--type', 'push');
  const dropped_s = await decide(s, 'drop', '--type', 'label');
  return { size, start_ms, rss, replayed_s, dropped_s, status_ms, page_ms, counted_ms, filtered_ms, live_p50_us: live.latency_us.p50, live_p99_us: live.latency_us.p99,
    file_bytes: fileBytes(path.join(s.dir, 'var'), 'journal.db') };
}

export async function deadLetters() {
  const s = new Stage('dead', { disk: true });
  const out = [];
  try {
    await s.backends({ cores: '0-1' });
    await s.configure({ journal: { max_bytes: '100GiB' }, store: { directory: path.join(s.dir, 'var') } });
    await s.pointsman();
    await s.end(s.instance);
    for (let i = 0, have = 0; i < SIZES.length; have = SIZES[i++]) {
      await fill(s, SIZES[i], SIZES[i] - have);
      out.push(await measure(s, SIZES[i]));
      if (i < SIZES.length - 1) await s.end(s.instance);
      console.error(JSON.stringify(out.at(-1)));
    }
    return out;
  } finally {
    await s.close();
  }
}
