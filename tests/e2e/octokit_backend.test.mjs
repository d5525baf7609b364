// The official middleware, unchanged, as a backend: it verifies by itself what pointsman forwards.

import assert from 'node:assert/strict';
import { createNodeMiddleware, Webhooks } from '@octokit/webhooks';
import { corpus } from './harness/corpus.mjs';
import { again, delivery, entityOf, issue, PATH, SECRET, sideAt } from './harness/github.mjs';
import { scenario, withBothStores, usually } from './harness/scenario.mjs';
import { each } from './harness/wait.mjs';

usually({ on_failure: 'answer' });

/** A backend whose requests are handled by @octokit/webhooks; `seen` is what its handlers were given. */
async function octokit(world, { secret = SECRET, onAny = () => {} } = {}) {
  const seen = [];
  const webhooks = new Webhooks({ secret, log: { debug() {}, info() {}, warn() {}, error() {} } });
  webhooks.onAny(async (event) => {
    seen.push(event);
    await onAny(event);
  });
  const middleware = createNodeMiddleware(webhooks, { path: PATH });
  // The harness has read the body already; the middleware takes it from req.body, as behind body parsers.
  const handler = (req, res, request) => middleware(Object.assign(req, { body: request.body.toString('utf8') }), res);
  const backend = await world.backend({ name: 'octokit', handler });
  return { backend, seen };
}

withBothStores('every payload passes its verification, at whichever side', async (world, store) => {
  const { backend, seen } = await octokit(world);
  const { pm, legacy } = await world.system({ store, mode: 'gradual', percentage: 50, neu: backend });
  const sent = await Promise.all(corpus().map(async ({ type, payload }) => {
    const event = await delivery(type, payload);
    return { ...event, payload, side: sideAt(50, entityOf(payload, event.id)) };
  }));
  const answers = await each(sent, 8, (event) => pm.send(event));
  const toNew = sent.filter((event) => event.side === 'new');
  for (const [i, event] of sent.entries()) assert.equal(answers[i].status, 200, `${event.type}: ${answers[i].text}`);
  assert.deepEqual(seen.map((event) => event.id).sort(), toNew.map((event) => event.id).sort());
  for (const event of seen) {
    const { type, payload } = sent.find((one) => one.id === event.id);
    assert.equal(event.name, type);
    assert.deepEqual(event.payload, payload);
  }
  assert.equal(legacy.count, sent.length - toNew.length);
});

scenario('a secret that differs from the sender\'s is its 400, passed through', async (world) => {
  const { backend, seen } = await octokit(world, { secret: 'another' });
  const { pm } = await world.system({ legacy: backend });
  assert.equal((await pm.send(await delivery('issues', issue(7)))).status, 400);
  assert.equal(seen.length, 0);
});

scenario('a handler that throws is its 500, and a redelivery is tried again', async (world) => {
  let broken = true;
  const { backend, seen } = await octokit(world, { onAny: () => {
    if (broken) throw new Error('not today');
  } });
  const { pm } = await world.system({ legacy: backend });
  const event = await delivery('issues', issue(7));
  assert.equal((await pm.send(event)).status, 500);
  broken = false;
  assert.equal((await pm.send(again(event))).status, 200);
  assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  assert.equal(seen.length, 2);
});
