// Every payload GitHub publishes, signed by the official library, arrives unchanged, once, where predicted.

import assert from 'node:assert/strict';
import { verify } from '@octokit/webhooks-methods';
import { corpus } from './harness/corpus.mjs';
import { again, delivery, entityOf, SECRET, sideAt } from './harness/github.mjs';
import { withBothStores } from './harness/scenario.mjs';
import { each } from './harness/wait.mjs';
import { bucketOf } from './harness/xxh3.mjs';

const PERCENTAGE = 25;

async function deliveries() {
  const all = corpus();
  assert.equal(all.length, 329);
  return Promise.all(all.map(async ({ type, payload }) => {
    const made = await delivery(type, payload);
    return { ...made, entity: entityOf(payload, made.id) };
  }));
}

withBothStores('all payloads arrive unchanged, once, where the bucket says', async (world, store) => {
  const { pm, legacy, neu } = await world.system({ store, mode: 'gradual', percentage: PERCENTAGE });
  const sent = await deliveries();
  for (const one of sent) one.side = sideAt(PERCENTAGE, one.entity);
  const backends = { legacy, new: neu };

  const answers = await each(sent, 16, (one) => pm.send(one));

  for (const [i, one] of sent.entries()) {
    const what = `${one.type} ${one.id}`;
    const answer = answers[i];
    assert.equal(answer.status, 200, `${what}: ${answer.text}`);
    assert.equal(answer.headers['x-pointsman-event'], one.id, what);
    assert.equal(answer.headers['x-pointsman-mode'], 'gradual', what);
    assert.equal(answer.headers['x-pointsman-backend'], one.side, what);
    assert.equal(answer.headers['x-backend'], one.side, what);
    const arrived = backends[one.side].of(one.id);
    assert.equal(arrived.length, 1, `${what} arrived ${arrived.length} times`);
    assert.ok(arrived[0].body.equals(one.body), `${what}: the body changed`);
    assert.ok(await verify(SECRET, arrived[0].body.toString('utf8'),
      arrived[0].headers['x-hub-signature-256']), `${what}: the official verifier refuses it`);
  }
  for (const one of sent) {
    const line = await pm.decision(one.id);
    assert.deepEqual([line.entity, line.bucket], [one.entity, bucketOf(one.entity)], one.type);
  }
  assert.equal(legacy.count + neu.count, sent.length);
  assert.ok(legacy.count > 0 && neu.count > 0, 'both sides have work');

  const repeated = await each(sent, 16, (one) => pm.send(again(one)));

  for (const [i, one] of sent.entries()) {
    assert.equal(repeated[i].status, 200, repeated[i].text);
    assert.deepEqual(repeated[i].json,
      { status: 'duplicate', event: one.id, backend: one.side, backend_status: 200 });
  }
  assert.equal(legacy.count + neu.count, sent.length, 'a redelivery reached a backend');
});
