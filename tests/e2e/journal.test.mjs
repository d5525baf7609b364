// What pointsman takes on itself: 202 only for what is on disk, and all of it is delivered, listed, or dead.

import assert from 'node:assert/strict';
import { again, delivery, issue, numbersFor } from './harness/github.mjs';
import { scenario, withBothStores } from './harness/scenario.mjs';
import { each, stays, until } from './harness/wait.mjs';

const opened = (number, options) => delivery('issues', issue(number, options));
const QUICK = { retry: { ladder: ['50ms', '100ms', '200ms'], jitter: '0%' }, breaker: { failures: 1000, samples: 100000 } };

const queue = async (pm) => (await pm.status()).queue;
const empty = (pm) => until('the queue is empty', async () => (await queue(pm)).pending === 0);
const settles = (pm, wanted) => until(`the queue shows ${JSON.stringify(wanted)}`, async () => {
  const now = await queue(pm);
  return Object.entries(wanted).every(([key, value]) => now[key] === value);
});

/** Backend answers taken from a list; the last one stays. */
function script(...answers) {
  let at = 0;
  return () => answers[Math.min(at++, answers.length - 1)];
}

// ---- reply: accepted ----

withBothStores('reply accepted: 202 at once, delivered once, a duplicate is told so', async (world, store) => {
  const { pm, legacy } = await world.system({ store, source: { reply: 'accepted' } });
  const event = await opened(7);
  const answer = await pm.send(event);
  assert.equal(answer.status, 202, answer.text);
  assert.deepEqual(answer.json, { status: 'accepted', event: event.id });
  await legacy.wait(event.id);
  await empty(pm);
  const second = await pm.send(again(event));
  assert.deepEqual([second.status, second.json.status], [200, 'duplicate']);
  assert.equal(legacy.of(event.id).length, 1);
  assert.deepEqual(legacy.of(event.id)[0].body, event.body);
});

scenario('reply accepted: an event in flight that is on disk answers its repetition 202', async (world) => {
  const { pm, legacy } = await world.system({ source: { reply: 'accepted' } });
  legacy.hold();
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 202);
  await legacy.wait(event.id);
  await until('the repetition is told that it is on disk', async () => {
    const second = await pm.send(again(event));
    assert.equal(second.json.status, 'in_progress');
    return second.status === 202;
  });
  legacy.release();
  await empty(pm);
  assert.equal(legacy.of(event.id).length, 1);
});

scenario('reply accepted: kill -9 between 202 and the answer leaves the event in doubt, listed, not sent again', async (world) => {
  const { pm, legacy } = await world.system({ source: { reply: 'accepted' } });
  legacy.hold();
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 202);
  await legacy.wait(event.id);
  await pm.kill9();
  legacy.release();
  await pm.start();
  await settles(pm, { pending: 0, parked: 1, in_doubt: 1, dead: 0 });
  const answer = await pm.send(again(event));
  assert.deepEqual([answer.status, answer.json.status], [202, 'in_doubt']);
  assert.equal(legacy.of(event.id).length, 1);
});

scenario('an idempotent backend gets what is in doubt again after kill -9', async (world) => {
  const { pm, legacy } = await world.system({
    source: { reply: 'accepted' }, config: { ...QUICK, backends: { legacy: { idempotent: true } } },
  });
  legacy.hold();
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 202);
  await legacy.wait(event.id);
  await pm.kill9();
  legacy.release();
  await pm.start();
  await settles(pm, { pending: 0, parked: 0 });
  assert.equal(legacy.of(event.id).length, 2);
  assert.equal(legacy.of(event.id)[1].headers['idempotency-key'], `"${event.id}"`);
});

scenario('reply accepted: what its backend can not take now goes to disk unclaimed, and is delivered once', async (world) => {
  const { pm, legacy } = await world.system({
    source: { reply: 'accepted' }, config: { backends: { legacy: { max_in_flight: 2 } } },
  });
  const claims = () => pm.metric('pointsman_claims_total', { result: 'granted' });
  legacy.hold();
  const events = await each([1, 2, 3, 4], 1, (number) => opened(number));
  for (const event of events.slice(0, 2)) {
    assert.equal((await pm.send(event)).json.status, 'accepted');
    await legacy.wait(event.id);
  }
  for (const event of events.slice(2)) {
    const answer = await pm.send(event);
    assert.deepEqual([answer.status, answer.json.status], [202, 'queued']);
  }
  assert.equal(await claims(), 2);
  await settles(pm, { pending: 4 });
  legacy.release();
  await empty(pm);
  for (const event of events) assert.equal(legacy.of(event.id).length, 1);
  assert.equal(await claims(), 4);
});

// ---- on_failure: queue ----

withBothStores('what legacy did not do is queued, retried on the ladder, and done', async (world, store) => {
  const { pm, legacy } = await world.system({
    store, config: QUICK, legacy: { answer: script({ status: 503 }, { status: 429 }, { status: 200 }) },
  });
  const event = await opened(7);
  const answer = await pm.send(event);
  assert.equal(answer.status, 202, answer.text);
  assert.deepEqual(answer.json, { status: 'queued', event: event.id });
  await legacy.waitCount(3);
  await settles(pm, { pending: 0, dead: 0, parked: 0 });
  assert.deepEqual(legacy.of(event.id).map(({ headers }) => headers['x-pointsman-attempt']), ['1', '2', '3']);
  assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  assert.ok(legacy.requests.every(({ body }) => body.equals(event.body)));
});

scenario('a backend that is not there: queued, delivered when it is back, across a restart', async (world) => {
  const { pm, legacy, neu } = await world.system({ config: QUICK });
  await legacy.stop();
  const events = await each([1, 2, 3, 4, 5], 5, (number) => opened(number));
  for (const event of events) assert.equal((await pm.send(event)).json.status, 'queued');
  await pm.stop();
  await legacy.restart();
  await pm.start();
  await empty(pm);
  for (const event of events) assert.equal(legacy.of(event.id).length, 1);
  assert.equal(neu.count, 0);
});

scenario('the whole ladder without success: dead, listed with what the backend said', async (world) => {
  const { pm, legacy } = await world.system({
    config: QUICK, legacy: { answer: { status: 500, body: 'no, and again no' } },
  });
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 202);
  await settles(pm, { pending: 0, dead: 1 });
  assert.equal(legacy.of(event.id).length, 4, 'one try and three steps of the ladder');
  const list = (await pm.admin('GET', '/v1/dead')).json;
  assert.equal(list.length, 1);
  assert.deepEqual([list[0].event, list[0].backend, list[0].reason], [event.id, 'legacy', 'not_done']);
});

withBothStores('rejected before anything was promised: the 4xx passes through, nothing is kept', async (world, store) => {
  const { pm } = await world.system({ store, legacy: { answer: { status: 422 } } });
  assert.equal((await pm.send(await opened(7))).status, 422);
  await settles(pm, { pending: 0, dead: 0, parked: 0 });
});

scenario('rejected after the 202: dead', async (world) => {
  const { pm } = await world.system({ source: { reply: 'accepted' }, legacy: { answer: { status: 422 } } });
  assert.equal((await pm.send(await opened(7))).status, 202);
  await settles(pm, { pending: 0, dead: 1 });
  assert.equal((await pm.admin('GET', '/v1/dead')).json[0].reason, 'rejected');
});

withBothStores('in doubt is parked, 202, and a repetition is told the same', async (world, store) => {
  const { pm, legacy } = await world.system({ store, legacy: { answer: { status: 502 } } });
  const event = await opened(7);
  for (let i = 0; i < 2; i++) {
    const answer = await pm.send(again(event));
    assert.deepEqual([answer.status, answer.json.status], [202, 'in_doubt']);
  }
  await settles(pm, { pending: 0, parked: 1, in_doubt: 1 });
  assert.equal(legacy.of(event.id).length, 1);
  const [parked] = (await pm.admin('GET', '/v1/doubt')).json;
  assert.equal(parked.event, event.id);
});

scenario('Retry-After lengthens the step, but at most to twice of it', async (world) => {
  const { pm, legacy } = await world.system({
    config: { ...QUICK, retry: { ladder: ['400ms'], jitter: '0%' } },
    legacy: { answer: script({ status: 503, headers: { 'Retry-After': '3600' } }, { status: 200 }) },
  });
  assert.equal((await pm.send(await opened(7))).status, 202);
  await legacy.waitCount(2);
  const [first, second] = legacy.requests;
  assert.ok(second.arrived - first.arrived >= 750, `after ${second.arrived - first.arrived} ms`);
  await empty(pm);
});

// ---- the sender's deadline ----

withBothStores('the deadline comes first: 202, and the same attempt finishes behind it', async (world, store) => {
  const { pm, legacy } = await world.system({ store, source: { deadline: '500ms' } });
  legacy.hold();
  const event = await opened(7);
  const answer = await pm.send(event);
  assert.deepEqual([answer.status, answer.json], [202, { status: 'accepted', event: event.id }]);
  assert.equal((await queue(pm)).pending, 1);
  legacy.release();
  await empty(pm);
  assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  assert.equal(legacy.of(event.id).length, 1);
});

scenario('after the deadline an attempt that was not done is queued and retried', async (world) => {
  const { pm, legacy } = await world.system({
    config: QUICK, source: { deadline: '400ms' },
    legacy: { answer: script({ status: 503, delay: 800 }, { status: 200 }) },
  });
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 202);
  await legacy.waitCount(2);
  await settles(pm, { pending: 0, dead: 0 });
});

scenario('kill -9 after the deadline was answered: in doubt, listed', async (world) => {
  const { pm, legacy } = await world.system({ source: { deadline: '400ms' } });
  legacy.hold();
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 202);
  await pm.kill9();
  legacy.release();
  await pm.start();
  await settles(pm, { pending: 0, parked: 1 });
  assert.equal(legacy.of(event.id).length, 1);
});

// ---- fallback and rollback ----

withBothStores('new says "not done": legacy does it, under a higher fence', async (world, store) => {
  const { pm, legacy, neu } = await world.system({ store, mode: 'new_only', neu: { answer: { status: 503 } } });
  const event = await opened(7);
  const answer = await pm.send(event);
  assert.deepEqual([answer.status, answer.headers['x-pointsman-backend']], [200, 'legacy']);
  const fence = (backend) => BigInt(backend.of(event.id)[0].headers['x-pointsman-fence']);
  assert.ok(fence(legacy) > fence(neu));
});

withBothStores('a rollback takes the queue along: what new did not do goes to legacy, what is in doubt stays', async (world, store) => {
  const down = { status: 503 };
  let answer = () => down;
  const { pm, legacy, neu } = await world.system({
    store, mode: 'new_only', neu: { answer: (request) => answer(request) },
    config: { ...QUICK, retry: { ladder: ['1h'] }, backends: { new: { fallback: false } } },
  });
  const waiting = await each([1, 2, 3], 3, (number) => opened(number));
  for (const event of waiting) assert.equal((await pm.send(event)).json.status, 'queued');
  answer = () => ({ status: 502 });
  const doubtful = await opened(4);
  assert.equal((await pm.send(doubtful)).json.status, 'in_doubt');
  await pm.cli('rollback', '--reason', 'test');
  await settles(pm, { pending: 0, parked: 1, dead: 0 });
  for (const event of waiting) assert.equal(legacy.of(event.id).length, 1);
  assert.equal(legacy.of(doubtful.id).length, 0);
  assert.equal(neu.of(doubtful.id).length, 1);
});

scenario('in gradual a queued event stays with the side it was first given to', async (world) => {
  let status = 503;
  const { pm, legacy, neu } = await world.system({
    mode: 'gradual', percentage: 50, neu: { answer: () => ({ status }) },
    config: { ...QUICK, retry: { ladder: ['300ms', '300ms', '300ms', '300ms'] }, backends: { new: { fallback: false } } },
  });
  const [number] = numbersFor('new', 50, 1);
  const event = await opened(number);
  assert.equal((await pm.send(event)).json.status, 'queued');
  await pm.move('gradual', 0.0001);
  status = 200;
  await empty(pm);
  assert.equal(legacy.of(event.id).length, 0);
  assert.equal(neu.of(event.id).at(-1).headers['x-pointsman-backend'], 'new');
});

// ---- order: entity ----

scenario('order entity: one after the other, in the order of arrival, also across retries', async (world) => {
  const seen = [];
  const { pm, legacy } = await world.system({
    config: QUICK, source: { order: 'entity', deadline: '9s' },
    legacy: { answer: (request) => {
      seen.push(request.headers['x-pointsman-event']);
      return seen.length === 1 ? { status: 503 } : { status: 200, delay: 20 };
    } },
  });
  const events = [];
  for (let i = 0; i < 6; i++) {
    const event = await opened(7);
    events.push(event.id);
    const answer = await pm.send(event);
    assert.ok([200, 202].includes(answer.status), answer.text);
  }
  await empty(pm);
  assert.deepEqual(seen, [events[0], ...events]);
});

scenario('order entity: other entities pass, and so do those behind a dead one', async (world) => {
  const { pm, legacy } = await world.system({
    config: { ...QUICK, retry: { ladder: ['20ms', '40ms'] } }, source: { order: 'entity' },
    legacy: { answer: ({ headers }) => ({ status: headers['x-pointsman-event'] === 'bad' ? 503 : 200 }) },
  });
  const bad = await delivery('issues', issue(7), { id: 'bad' });
  assert.equal((await pm.send(bad)).status, 202);
  const behind = await opened(7);
  await pm.send(behind);
  const other = await opened(8);
  assert.equal((await pm.send(other)).status, 200, 'another entity is not in line');
  await settles(pm, { pending: 0, dead: 1 });
  assert.equal(legacy.of('bad').length, 3);
  assert.equal(legacy.of(behind.id).length, 1);
  assert.ok(legacy.requests.findIndex(({ headers }) => headers['x-pointsman-event'] === behind.id) > 2);
});

// ---- the store is away ----

scenario('hold: Redis away, events wait on disk, and are delivered once it is back', async (world) => {
  const { pm, legacy, redis } = await world.system({ store: 'redis', config: { ...QUICK, store: { when_down: 'hold' } } });
  await redis.stop();
  await until('the store is away', async () => !(await pm.status()).store.up);
  const events = await each([1, 2, 3, 4, 5, 6], 3, (number) => opened(number));
  for (const event of events) {
    const answer = await pm.send(event);
    assert.deepEqual([answer.status, answer.json.status], [202, 'queued'], answer.text);
  }
  assert.equal(legacy.count, 0);
  assert.equal((await pm.admin('GET', '/readyz')).status, 200, 'it takes events');
  await stays('nothing is sent without claims', () => legacy.count === 0);
  await redis.restart();
  await empty(pm);
  for (const event of events) assert.equal(legacy.of(event.id).length, 1);
});

scenario('hold: a Redis that hangs is one that is away', async (world) => {
  const { pm, legacy, redis } = await world.system({ store: 'redis', config: { ...QUICK, store: { when_down: 'hold' } } });
  redis.pause();
  const first = await opened(1);
  assert.equal((await pm.send(first)).status, 202);
  redis.resume();
  await empty(pm);
  assert.equal(legacy.of(first.id).length, 1);
});

// ---- no room ----

scenario('a full journal: 503 where 202 was meant, the backend\'s own answer where not, and room again later', async (world) => {
  let status = 503;
  const { pm, legacy } = await world.system({
    config: {
      ...QUICK,
      retry: { ladder: ['1h'] },
      journal: { max_bytes: '1MiB', keep: '0s' },
      sources: [
        { name: 'sync', path: '/sync', provider: 'github', secrets: 'none', on_failure: 'queue' },
        { name: 'async', path: '/async', provider: 'github', secrets: 'none', reply: 'accepted' },
      ],
    },
    legacy: { answer: () => ({ status }) },
  });
  const large = (number) => issue(number, { filler: 'x'.repeat(400_000) });
  const send = async (path, number) => pm.send(await delivery('issues', large(number), { path }));
  assert.equal((await send('/sync', 1)).status, 202);
  assert.equal((await send('/sync', 2)).status, 202);
  assert.equal((await send('/sync', 3)).status, 503, 'the backend said so itself');
  const refused = await send('/async', 4);
  assert.equal(refused.status, 503);
  assert.match(refused.headers['content-type'], /^application\/problem\+json/);
  assert.match(refused.headers['retry-after'], /^\d+$/);
  assert.equal(legacy.count, 3, 'what was refused was not sent');
  status = 200;
  assert.equal((await send('/sync', 5)).status, 200, 'what needs no journal goes on');
  const list = (await pm.admin('GET', '/v1/status')).json.queue;
  assert.equal(list.pending, 2);
});

// ---- the breaker ----

scenario('an open breaker: queued without using up tries, in status, and delivered when it closes', async (world) => {
  let status = 503;
  const { pm, legacy } = await world.system({
    config: {
      retry: { ladder: ['20ms', '20ms', '20ms', '20ms', '20ms', '20ms'] },
      breaker: { failures: 3, open: '1s', probes: 2 },
    },
    legacy: { answer: () => ({ status }) },
  });
  const first = await opened(1);
  assert.equal((await pm.send(first)).status, 202);
  await until('the breaker is open', async () => (await pm.status()).backends.legacy.breaker === 'open');
  assert.ok((await pm.status()).backends.legacy.breaker_reason);
  const sent = legacy.count;
  const events = await each([2, 3, 4, 5, 6, 7, 8], 4, (number) => opened(number));
  for (const event of events) assert.equal((await pm.send(event)).json.status, 'queued');
  assert.equal(legacy.count, sent, 'nothing is sent while it is open');
  status = 200;
  await empty(pm);
  for (const event of events) assert.equal(legacy.of(event.id).length, 1, 'waiting used up no tries');
  assert.equal((await pm.status()).backends.legacy.breaker, 'closed');
});

scenario('the breaker of new opens: emergency_rollback once over two instances, with the evidence in the audit', async (world) => {
  const { pms, legacy, neu } = await world.system({
    store: 'redis', instances: 2, mode: 'gradual', percentage: 100, neu: { answer: { status: 500 } },
  });
  await each(Array.from({ length: 20 }, (_, i) => i + 1), 4, async (number) => {
    const answer = await pms[number % 2].send(await opened(number));
    assert.equal(answer.status, 200, 'legacy did it');
  });
  for (const pm of pms) await pm.seesMode('emergency_rollback', 0);
  const { audit } = (await pms[0].admin('GET', '/v1/audit')).json;
  const entries = audit.filter(({ to }) => to === 'emergency_rollback');
  assert.equal(entries.length, 1);
  assert.equal(entries[0].actor, 'pointsman');
  assert.ok(JSON.stringify(entries[0].evidence).includes('breaker'));
  const before = neu.count;
  assert.equal((await pms[0].send(await opened(99))).status, 200);
  assert.equal(neu.count, before);
  assert.ok(legacy.count >= 21);
});
