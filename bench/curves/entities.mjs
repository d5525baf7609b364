// All events about different issues, some issues frequent, nearly all about one: in parallel as they come, and in order.

import { until } from '../../tests/e2e/harness/wait.mjs';
import { Stage } from './stage.mjs';

const QUICK = Boolean(process.env.QUICK);
const SECONDS = QUICK ? 2 : 6;
const RATE = 2000;
const ORDERED_RATE = 300;
const KINDS = ['uniform', 'zipf', 'hot'];

async function unordered(s, distribution) {
  const run = await s.load({ rate: RATE, connections: 64, distribution, warmUp: 500, seconds: SECONDS,
    cpu: [`pointsman=${s.pid}`, `redis=${s.store.pid}`] }).ended;
  const { p50, p99, p999 } = run.latency_us;
  return { p50_us: p50, p99_us: p99, p999_us: p999, cpu_us: run.cpu_us.pointsman / run.answers.ok, redis_us: run.cpu_us.redis / run.answers.ok };
}

/** `order: entity`: what is answered by the backend at once, what waits in line on disk, and how fast the line moves. */
async function ordered(s, distribution) {
  const began = performance.now();
  const run = await s.load({ path: '/webhooks/ordered', rate: ORDERED_RATE, connections: 64, distribution, count: ORDERED_RATE * SECONDS }).ended;
  await until('the lines are empty', async () => (await s.status()).queue.pending === 0, { deadline: 300_000, every: 50 });
  const { p50, p99 } = run.latency_us;
  return { p50_us: p50, p99_us: p99, offered: ORDERED_RATE, done_s: run.sent / ((performance.now() - began) / 1000),
    at_once: run.answers.ok / run.sent };
}

export async function entities() {
  const s = new Stage('entities', { disk: true });
  const out = [];
  try {
    await s.redis();
    await s.backends({ args: ['--latency-us', '5000'] });
    await s.configure();
    const [source] = s.config.sources;
    await s.configure({ sources: [source, { ...source, path: '/webhooks/ordered', name: 'ordered', order: 'entity', on_failure: undefined }] });
    await s.pointsman();
    for (const kind of KINDS) {
      out.push({ kind, none: await unordered(s, kind), entity: await ordered(s, kind) });
      console.error(JSON.stringify(out.at(-1)));
    }
    return out;
  } finally {
    await s.close();
  }
}
