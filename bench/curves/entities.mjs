// All events about different issues, some issues frequent, nearly all about one: in parallel as they come, and in order.

import { waitFor } from '../lib/processes.mjs';
import { figures, onStage } from './stage.mjs';

const QUICK = Boolean(process.env.QUICK);
const SECONDS = QUICK ? 2 : 6;
const RATE = 2000;
const ORDERED_RATE = 300;
const KINDS = ['uniform', 'zipf', 'hot'];

async function unordered(s, distribution) {
  const load = s.load({ rate: RATE, distribution, warmUp: 500, seconds: SECONDS, cpu: { pointsman: s.pid, redis: s.store.pid } });
  return figures(await load.report(), ['pointsman', 'redis']);
}

/** `order: entity`: what is answered by the backend at once, and how fast the lines on disk move. */
async function ordered(s, distribution) {
  const began = performance.now();
  const load = s.load({ path: '/webhooks/ordered', rate: ORDERED_RATE, distribution, count: ORDERED_RATE * SECONDS });
  const run = await load.report();
  await waitFor('the lines are empty', s.instance, async () => (await s.status()).queue.pending === 0, 300);
  const seconds = (performance.now() - began) / 1000;
  return { offered: ORDERED_RATE, done_s: run.total.sent / seconds, at_once: run.answers.ok / run.total.sent, ...figures(run, []) };
}

export async function entities() {
  return onStage({ disk: true }, async (s) => {
    await s.redis();
    await s.backends({ latencyUs: 5000 });
    s.configure();
    const [source] = s.config.sources;
    const line = { ...source, path: '/webhooks/ordered', name: 'ordered', order: 'entity', on_failure: 'queue' };
    await s.pointsman({ config: { sources: [source, line] } });
    const out = [];
    for (const kind of KINDS) out.push({ kind, none: await unordered(s, kind), entity: await ordered(s, kind) });
    return out;
  });
}
