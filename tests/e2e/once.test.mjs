// Each event once: races, duplicates, redeliveries, and what a crash leaves behind.

import assert from 'node:assert/strict';
import { again, delivery, issue } from './harness/github.mjs';
import { DeafBackend } from './harness/deaf.mjs';
import { scenario, withBothStores, usually } from './harness/scenario.mjs';
import { each, SLOW, until } from './harness/wait.mjs';

usually({ on_failure: 'answer' });

const opened = (number, options) => delivery('issues', issue(number, options));

scenario('two instances that get the same delivery at the same instant forward it once', async (world) => {
  const { pms, legacy, neu } = await world.system({ store: 'redis', instances: 2, mode: 'gradual', percentage: 50 });
  const events = await Promise.all(Array.from({ length: 150 }, (_, n) => opened(n + 1)));

  const answers = await each(events, 8, (event) =>
    Promise.all([pms[0].send(event), pms[1].send(again(event)), pms[0].send(again(event))]));

  for (const [i, three] of answers.entries()) {
    assert.deepEqual(three.map((answer) => answer.status), [200, 200, 200], three.map((a) => a.text).join());
    const forwarded = three.filter((answer) => answer.json.status !== 'duplicate');
    assert.equal(forwarded.length, 1, `event ${i}: ${three.map((a) => a.text)}`);
    assert.equal(legacy.of(events[i].id).length + neu.of(events[i].id).length, 1);
  }
});

withBothStores('a duplicate of an event in flight waits for the outcome', async (world, store) => {
  const { pm, legacy } = await world.system({ store });
  legacy.hold();
  const event = await opened(7);
  const first = pm.send(event);
  await legacy.wait(event.id);
  const second = pm.send(again(event));
  legacy.release();
  assert.equal((await first).status, 200);
  assert.deepEqual((await second).json,
    { status: 'duplicate', event: event.id, backend: 'legacy', backend_status: 200 });
  assert.equal(legacy.of(event.id).length, 1);
});

withBothStores('a duplicate is told 503 and Retry-After when the first takes longer than 2 s', async (world, store) => {
  const { pm, legacy } = await world.system({ store });
  legacy.hold();
  const event = await opened(7);
  const first = pm.send(event);
  await legacy.wait(event.id);
  const second = await pm.send(again(event));
  assert.equal(second.status, 503, second.text);
  assert.equal(second.headers['retry-after'], '1');
  assert.equal(second.json.status, 'in_progress');
  assert.ok(second.ms > 1000 && second.ms < 4000 * SLOW, `answered after ${second.ms} ms`);
  legacy.release();
  assert.equal((await first).status, 200);
  assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  assert.equal(legacy.of(event.id).length, 1);
});

for (const status of [400, 404, 422, 408, 425, 429, 500, 503]) {
  withBothStores(`a redelivery after ${status} is tried again`, async (world, store) => {
    let now = status;
    const { pm, legacy } = await world.system({ store, legacy: { answer: () => ({ status: now }) } });
    const event = await opened(7);
    assert.equal((await pm.send(event)).status, status);
    now = 201;
    const second = await pm.send(again(event));
    assert.equal(second.status, 201, second.text);
    assert.deepEqual(legacy.of(event.id).map((request) => request.headers['x-pointsman-attempt']), ['1', '2']);
    assert.deepEqual((await pm.send(again(event))).json,
      { status: 'duplicate', event: event.id, backend: 'legacy', backend_status: 201 });
  });
}

withBothStores('two hooks of one event are one event, and two with delivery+hook', async (world, store) => {
  for (const [event_id, copies] of [['delivery', 1], ['delivery+hook', 2]]) {
    const { pm, legacy } = await world.system({ store, source: { event_id } });
    const one = await opened(7);
    const two = await delivery('issues', issue(7), { id: one.id, hook: '2' });
    assert.equal((await pm.send(one)).status, 200);
    assert.equal((await pm.send(two)).status, 200);
    assert.equal(legacy.count, copies, event_id);
  }
});

withBothStores('what was done is a duplicate after a restart', async (world, store) => {
  const { pm, legacy } = await world.system({ store });
  const event = await opened(7);
  await pm.send(event);
  await pm.stop();
  await pm.start();
  assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  assert.equal(legacy.count, 1);
});

withBothStores('kill -9 with a sent attempt: after the restart it is in doubt and not repeated', async (world, store) => {
  const { pm, legacy } = await world.system({ store });
  legacy.hold();
  const event = await opened(7);
  const lost = pm.send(event).catch((error) => error);
  await legacy.wait(event.id);
  await pm.kill9();
  assert.ok((await lost) instanceof Error);
  legacy.release();
  await pm.start();

  const answer = await pm.send(again(event));
  assert.equal(answer.status, 504, answer.text);
  assert.equal(answer.json.status, 'in_doubt');
  assert.equal(legacy.of(event.id).length, 1);

  const other = await opened(7, { action: 'edited' });
  assert.equal((await pm.send(other)).status, 200, 'the entity is not blocked by it');
  const [next] = legacy.of(other.id);
  assert.ok(BigInt(next.headers['x-pointsman-fence']) > BigInt(legacy.of(event.id)[0].headers['x-pointsman-fence']),
    'the fence has risen, so that the backend can refuse the late one');

  assert.equal((await pm.cli('forget', event.id)).code, 0);
  assert.equal((await pm.send(again(event))).status, 200, 'after forget it goes through');
  assert.equal(legacy.of(event.id).length, 2);
});

withBothStores('kill -9 before a byte was sent: after the restart it is tried again', async (world, store) => {
  const deaf = world.adopt(await DeafBackend.start());
  const { pm, neu } = await world.system({ store, legacy: deaf });
  const event = await opened(7);
  const lost = pm.send(event).catch((error) => error);
  await until('the event is claimed', async () => (await pm.admin('GET', `/v1/events/${event.id}`)).status === 200);
  await pm.kill9();
  await lost;
  await deaf.stop();
  const legacy = await world.backend({ name: 'legacy', port: deaf.port });
  await pm.start();
  const answer = await pm.send(again(event));
  assert.equal(answer.status, 200, answer.text);
  assert.equal(legacy.of(event.id).length, 1);
  assert.equal(neu.count, 0);
});

withBothStores('kill -9 under load: nothing answered as done is lost, nothing is delivered twice', async (world, store) => {
  const { pm, legacy } = await world.system({ store });
  const events = await Promise.all(Array.from({ length: 400 }, (_, n) => opened(n + 1)));
  const answered = new Map();
  const killed = until('a part is done', () => answered.size > 120).then(() => pm.kill9());
  await each(events, 16, async (event) => {
    try {
      answered.set(event.id, await pm.send(event));
    } catch {
      // Cut off by the kill: the sender knows.
    }
  });
  await killed;
  await pm.start();
  const second = await each(events, 16, (event) => pm.send(again(event)));
  for (const [i, event] of events.entries()) {
    const copies = legacy.of(event.id).length;
    assert.ok(copies <= 1, `${event.id} was delivered ${copies} times`);
    if (answered.get(event.id)?.status === 200) assert.equal(second[i].json.status, 'duplicate');
    if (second[i].status === 504) assert.equal(second[i].json.status, 'in_doubt');
    else assert.equal(copies, 1, `${second[i].status} ${second[i].text}`);
  }
});

scenario('what one instance left in doubt is in doubt for the other', async (world) => {
  const { pms, legacy } = await world.system({ store: 'redis', instances: 2 });
  legacy.hold();
  const event = await opened(7);
  const lost = pms[0].send(event).catch((error) => error);
  await legacy.wait(event.id);
  await pms[0].kill9();
  await lost;
  await pms[0].start();
  legacy.release();
  const answer = await pms[1].send(again(event));
  assert.equal(answer.status, 504, answer.text);
  assert.equal(legacy.count, 1);
});

withBothStores('a directory belongs to one process: a second one exits with 1 and says so', async (world, store) => {
  const { pm, config } = await world.system({ store });
  const second = world.instance(config, { dir: pm.dir, name: 'second' });
  second.spawn();
  assert.equal(await second.exitCode(), 1);
  await until('it says why', () => /var/.test(second.tail()) && /lock|another|use/.test(second.tail()));
  assert.equal((await pm.send(await opened(7))).status, 200, 'the first is not disturbed');
});

withBothStores('two sources keep their events apart, also with equal ids', async (world, store) => {
  const { pm, legacy, config } = await world.system({ store });
  const [source] = config.sources;
  await pm.stop();
  pm.configure({ ...config, sources: [source, { ...source, path: '/webhooks/other', name: 'other' }] });
  await pm.start();
  const one = await opened(7);
  const two = await delivery('issues', issue(7), { id: one.id, path: '/webhooks/other' });
  assert.deepEqual((await pm.send(one)).json, { backend: 'legacy' });
  assert.deepEqual((await pm.send(two)).json, { backend: 'legacy' });
  assert.equal(legacy.of(one.id).length, 2);
});

scenario('a process that stood still longer than its lease is in doubt, sends nothing late, and is counted', async (world) => {
  const { pms: [stopped, other], legacy } = await world.system({
    store: 'redis', instances: 2, config: { backends: { legacy: { timeout: '1s' }, new: { timeout: '1s' } } },
  });
  legacy.hold();
  const event = await opened(7);
  const first = stopped.send(event);
  await legacy.wait(event.id);
  stopped.signal('SIGSTOP');
  try {
    await until('the lease has run out', async () => (await other.send(again(event))).json.status === 'in_doubt');
  } finally {
    stopped.signal('SIGCONT');
  }
  assert.equal((await first).json.status, 'in_doubt');
  assert.equal(await stopped.metric('pointsman_paused_total'), 1);
  assert.equal(await other.metric('pointsman_paused_total'), 0);
  assert.equal(legacy.of(event.id).length, 1);
});
