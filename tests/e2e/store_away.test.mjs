// Redis away, frozen, or back and empty: what senders are told, and that nothing fails towards new.

import assert from 'node:assert/strict';
import { again, delivery, issue } from './harness/github.mjs';
import { scenario } from './harness/scenario.mjs';
import { until } from './harness/wait.mjs';

const opened = (number, options) => delivery('issues', issue(number, options));

for (const [how, away, back] of [['stopped', 'stop', 'restart'], ['frozen', 'pause', 'resume']]) {
  scenario(`Redis ${how}, when_down refuse: 503, nothing reaches a backend, then all is well`, async (world) => {
    const { pm, legacy, neu, redis } = await world.system({ store: 'redis', mode: 'gradual', percentage: 50 });
    assert.equal((await pm.send(await opened(1))).status, 200);
    const before = legacy.count + neu.count;
    await redis[away]();
    const event = await opened(2);
    const answer = await pm.send(event);
    assert.equal(answer.status, 503, answer.text);
    assert.match(answer.headers['retry-after'], /^\d+$/);
    assert.match(answer.headers['content-type'], /^application\/problem\+json/);
    assert.equal(legacy.count + neu.count, before);
    await until('readiness is off', async () => (await pm.admin('GET', '/readyz')).status === 503);
    assert.equal((await pm.admin('GET', '/healthz')).status, 200);
    assert.equal((await pm.status()).store.up, false);
    const told = await until('the log says so', () => pm.logged('store away')[0]);
    assert.equal(told.level, 'error');
    assert.ok(told.detail, 'and why');

    await redis[back]();
    await until('readiness is on', async () => (await pm.admin('GET', '/readyz')).status === 200);
    await until('it is forwarded', async () => (await pm.send(again(event))).status === 200);
    assert.equal(legacy.of(event.id).length + neu.of(event.id).length, 1);
    await until('the log says that it is back', () => pm.logged('store back').length > 0);
  });
}

scenario('Redis away, when_down local: legacy goes on, duplicates are still stopped here', async (world) => {
  const { pm, legacy, neu, redis } = await world.system({
    store: 'redis', config: { store: { when_down: 'local' } },
  });
  await redis.stop();
  const event = await opened(7);
  await until('local claims', async () => (await pm.send(event)).status === 200);
  await until('the log says that it claims alone', () => pm.logged('store local').length === 1);
  assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  assert.equal((await pm.admin('GET', '/readyz')).status, 200);
  await redis.restart();
  await until('the store is back', async () => (await pm.status()).store.up === true);
  await until('a duplicate after the return too', async () => (await pm.send(again(event))).json.status === 'duplicate');
  assert.equal(legacy.of(event.id).length, 1);
  assert.equal(neu.count, 0);
});

scenario('an instance that starts without its store, and finds it empty, never sends to new', async (world) => {
  const { pm, legacy, neu, redis } = await world.system({ store: 'redis' });
  await pm.move('new_only');
  await pm.stop();
  await redis.stop();
  pm.spawn();
  await pm.listening();
  assert.equal((await pm.status()).mode, 'legacy_only');
  assert.equal((await pm.send(await opened(7))).status, 503);
  await redis.restart();
  await pm.ready();
  const event = await opened(7);
  await until('it forwards', async () => (await pm.send(event)).status === 200);
  assert.equal((await pm.status()).mode, 'legacy_only');
  assert.deepEqual([legacy.of(event.id).length, neu.count], [1, 0]);
});

scenario('a store that forgot is told in log, status and metrics, and leaves all to legacy', async (world) => {
  const { pm, legacy, redis } = await world.system({ store: 'redis', mode: 'new_only' });
  const events = await Promise.all([1, 2, 3].map((number) => opened(number)));
  for (const event of events) assert.equal((await pm.send(event)).headers['x-pointsman-backend'], 'new');
  await redis.call('FLUSHALL');
  await pm.seesMode('legacy_only', 0);
  for (const event of events) assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  assert.equal(legacy.count, 0);
  const { store } = await pm.status();
  assert.deepEqual([store.forgot, store.lost], [1, 3]);
  assert.equal(await pm.metric('pointsman_store_lost_total'), 3);
  const levels = async (msg) => (await until(`the log says "${msg}"`, () => pm.logged(msg)[0])).level;
  assert.deepEqual([await levels('store forgot'), await levels('store lost')], ['error', 'error']);
});

scenario('a store that comes back empty does not make this instance deliver again', async (world) => {
  const { pm, legacy, redis } = await world.system({ store: 'redis' });
  legacy.hold();
  const event = await opened(7);
  const answer = pm.send(event);
  await legacy.wait(event.id);
  const [first] = legacy.of(event.id);
  await redis.stop();
  await redis.restart();
  legacy.release();
  await answer;
  await until('known again', async () => (await pm.send(again(event))).json?.status === 'duplicate');
  assert.equal(legacy.of(event.id).length, 1);
  const next = await opened(7, { action: 'edited' });
  assert.equal((await pm.send(next)).status, 200);
  assert.ok(BigInt(legacy.of(next.id)[0].headers['x-pointsman-fence']) >= BigInt(first.headers['x-pointsman-fence']),
    'fences never fall');
});
