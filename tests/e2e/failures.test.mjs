// Backends and stores that fail: what the sender is told, what is tried again, and what never is.

import assert from 'node:assert/strict';
import { again, delivery, issue } from './harness/github.mjs';
import { scenario, withBothStores, usually } from './harness/scenario.mjs';
import { SLOW, until } from './harness/wait.mjs';

usually({ on_failure: 'answer' });

const opened = (number, options) => delivery('issues', issue(number, options));

/** The answer of an attempt whose effect is unknown, and that it is not repeated. */
async function expectInDoubt(pm, backend, event, answer) {
  assert.equal(answer.status, 504, answer.text);
  assert.equal(answer.json.status, 'in_doubt');
  const second = await pm.send(again(event));
  assert.equal(second.status, 504, second.text);
  assert.equal(second.json.status, 'in_doubt');
  assert.equal(backend.requests.length, 1, 'what is in doubt is not repeated');
}

// ---- nothing was sent ----

withBothStores('new cannot be reached: nothing was sent, so legacy does it', async (world, store) => {
  const { pm, legacy, neu } = await world.system({ store, mode: 'new_only' });
  await neu.stop();
  const event = await opened(7);
  const answer = await pm.send(event);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json, { backend: 'legacy' });
  assert.equal(answer.headers['x-pointsman-backend'], 'legacy');
  assert.equal(legacy.of(event.id).length, 1);
  assert.deepEqual((await pm.send(again(event))).json,
    { status: 'duplicate', event: event.id, backend: 'legacy', backend_status: 200 });
});

withBothStores('new cannot be reached and has no fallback: 502, and a redelivery is tried again', async (world, store) => {
  const { pm, legacy, neu } = await world.system({
    store, mode: 'new_only', config: { backends: { new: { fallback: false } } },
  });
  await neu.stop();
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 502);
  await neu.restart();
  const answer = await pm.send(again(event));
  assert.deepEqual([answer.status, answer.json], [200, { backend: 'new' }]);
  assert.equal(legacy.count, 0);
});

withBothStores('legacy cannot be reached: 502, never new, and a redelivery is tried again', async (world, store) => {
  const { pm, legacy, neu } = await world.system({ store });
  await legacy.stop();
  const event = await opened(7);
  const answer = await pm.send(event);
  assert.equal(answer.status, 502, answer.text);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  await legacy.restart();
  assert.equal((await pm.send(again(event))).status, 200);
  assert.equal(neu.count, 0);
});

scenario('a backend whose name cannot be resolved is a backend that cannot be reached', async (world) => {
  const { pm } = await world.system({
    mode: 'new_only', config: { backends: { new: { url: 'http://no-such-host.invalid:9002' } } },
  });
  const answer = await pm.send(await opened(7));
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['x-pointsman-backend'], 'legacy');
});

// ---- something was sent ----

withBothStores('a backend that does not answer within its timeout leaves the event in doubt', async (world, store) => {
  const { pm, legacy } = await world.system({
    store, legacy: { behaviour: 'hangs' }, config: { backends: { legacy: { timeout: '500ms' } } },
  });
  const event = await opened(7);
  await expectInDoubt(pm, legacy, event, await pm.send(event));
  assert.ok(await pm.metric(/^pointsman_/, { backend: 'legacy', outcome: 'in_doubt' }) >= 1, 'it is counted');
  assert.equal((await pm.decision(event.id)).outcome, 'in_doubt');
});

for (const behaviour of ['garbage', 'two content-lengths', 'closes early', 'closes without a byte',
  'reset after the request', '100 MiB of headers']) {
  withBothStores(`a backend of "${behaviour}" leaves the event in doubt`, async (world, store) => {
    const { pm, legacy } = await world.system({ store, legacy: { behaviour } });
    const event = await opened(7);
    await expectInDoubt(pm, legacy, event, await pm.send(event));
    assert.equal((await pm.admin('GET', '/readyz')).status, 200);
  });
}

for (const status of [501, 502, 504, 520]) {
  withBothStores(`a gateway's ${status} leaves the event in doubt`, async (world, store) => {
    const { pm, legacy } = await world.system({ store, legacy: { answer: { status } } });
    const event = await opened(7);
    await expectInDoubt(pm, legacy, event, await pm.send(event));
  });
}

scenario('what is in doubt at new does not fall back to legacy', async (world) => {
  const { pm, legacy, neu } = await world.system({ mode: 'new_only', neu: { behaviour: 'closes without a byte' } });
  const event = await opened(7);
  await expectInDoubt(pm, neu, event, await pm.send(event));
  await pm.move('legacy_only');
  assert.equal((await pm.send(again(event))).status, 504, 'not in another mode either');
  assert.equal(legacy.count, 0);
});

scenario('an idempotent backend is asked again about what is in doubt', async (world) => {
  let status = 502;
  const { pm, legacy } = await world.system({
    legacy: { answer: () => ({ status }) }, config: { backends: { legacy: { idempotent: true } } },
  });
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 504);
  status = 200;
  assert.equal((await pm.send(again(event))).status, 200);
  const keys = legacy.of(event.id).map((request) => request.headers['idempotency-key']);
  assert.deepEqual(keys, [`"${event.id}"`, `"${event.id}"`]);
});

// ---- the backend has spoken ----

for (const status of [408, 425, 429, 500, 503, 400, 401, 404, 409, 422]) {
  scenario(`${status} is passed through with its headers and body`, async (world) => {
    const { pm } = await world.system({
      legacy: { answer: { status, headers: { 'X-Reason': 'because', 'Retry-After': '7' }, body: { no: status } } },
    });
    const answer = await pm.send(await opened(7));
    assert.equal(answer.status, status);
    assert.deepEqual(answer.json, { no: status });
    assert.deepEqual([answer.headers['x-reason'], answer.headers['retry-after']], ['because', '7']);
    assert.equal(answer.headers['x-pointsman-backend'], 'legacy');
  });
}

withBothStores('a redirect is never followed: the sender sees 502, a redelivery is tried again', async (world, store) => {
  const { pm, legacy } = await world.system({ store, legacy: { behaviour: 'redirect' } });
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 502);
  assert.equal((await pm.decision(event.id)).outcome, 'rejected');
  assert.equal((await pm.send(again(event))).status, 502);
  assert.equal(legacy.count, 2);
});

scenario('not_done changes which statuses may be tried again', async (world) => {
  let status = 502;
  const { pm } = await world.system({
    legacy: { answer: () => ({ status }) }, config: { backends: { legacy: { not_done: [502] } } },
  });
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 502);
  status = 200;
  assert.equal((await pm.send(again(event))).status, 200);

  status = 500;
  assert.equal((await pm.send(await opened(8))).status, 504, '500 is no longer the backend\'s word');
});

for (const [behaviour, status, text] of [
  ['more bytes than said', 200, 'ok'],
  ['continues first', 200, 'ok'],
  ['no length, ends by closing', 200, 'until the end'],
  ['chunked in odd pieces', 200, 'abcd'],
]) {
  scenario(`a backend of "${behaviour}" has done it, and the next event is not disturbed`, async (world) => {
    const { pm, legacy } = await world.system({ legacy: { behaviour }, config: { workers: 1 } });
    for (const number of [1, 2, 3]) {
      const answer = await pm.send(await opened(number));
      assert.deepEqual([answer.status, answer.text], [status, text]);
    }
    assert.equal(legacy.count, 3);
  });
}

withBothStores('a 2xx whose body breaks off is done: the head was complete', async (world, store) => {
  const { pm, legacy } = await world.system({ store, legacy: { behaviour: 'body closes early' } });
  const event = await opened(7);
  const answer = await pm.send(event).catch((error) => error);
  if (!(answer instanceof Error)) assert.notEqual(answer.text, 'only this', 'a cut body is not passed off as whole');
  assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  assert.equal(legacy.count, 1);
});

// ---- health ----

withBothStores('probes and events make the health that status and metrics show', async (world, store) => {
  const health = { path: '/healthz', interval: '50ms' };
  const { pm, legacy, neu } = await world.system({
    store, config: { backends: { legacy: { health }, new: { health } } },
  });
  const sees = (side, wanted) => until(`${side} is ${wanted}`, async () =>
    (await pm.status()).backends[side].health === wanted);
  await sees('new', 'good');
  await sees('legacy', 'good');
  neu.health = 503;
  await sees('new', 'bad');
  assert.equal((await pm.status()).backends.legacy.health, 'good');
  assert.ok((await pm.metrics()).some((s) => s.name.startsWith('pointsman_') && /health|up/.test(s.name) &&
    s.labels.backend === 'new'), 'a metric shows it');
  neu.health = 200;
  await sees('new', 'good');
  await legacy.stop();
  await sees('legacy', 'bad');
  assert.equal((await pm.admin('GET', '/readyz')).status, 200, 'a bad backend is no reason to take senders away');
  assert.equal(legacy.count + neu.count, 0);
});

scenario('without probes events show that a backend is bad, and that it is good again', async (world) => {
  const { pm, legacy } = await world.system({ config: { breaker: { open: '100ms' } } });
  assert.equal((await pm.status()).backends.legacy.health, 'unknown');
  await pm.send(await opened(1));
  await until('good', async () => (await pm.status()).backends.legacy.health === 'good');
  await legacy.stop();
  let number = 2;
  await until('bad', async () => {
    await pm.send(await opened(number++));
    return (await pm.status()).backends.legacy.health === 'bad';
  });
  await legacy.restart();
  await until('good again', async () => {
    await pm.send(await opened(number++));
    return (await pm.status()).backends.legacy.health === 'good';
  });
});
