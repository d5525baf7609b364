// One owner: pins, sticky entities, and what waits while an entity is open at the other side.

import assert from 'node:assert/strict';
import { again, delivery, issue, movers } from './harness/github.mjs';
import { scenario, withBothStores } from './harness/scenario.mjs';
import { stays, until } from './harness/wait.mjs';

const opened = (number, options) => delivery('issues', issue(number, options));

/** On legacy at 1 %, on new at 50 %. */
const [MOVER] = movers(1, 50);

withBothStores('a pinned event stays with its side when the percentage rises', async (world, store) => {
  let status = 500;
  const { pm, legacy, neu } = await world.system({
    store, mode: 'gradual', percentage: 1, config: { rollout: { sticky: 'in_flight' } },
    legacy: { answer: () => ({ status }) },
  });
  const event = await opened(MOVER);
  assert.equal((await pm.send(event)).status, 500);
  status = 200;
  await pm.move('gradual', 99);
  const answer = await pm.send(again(event));
  assert.equal(answer.headers['x-pointsman-backend'], 'legacy');
  assert.deepEqual([legacy.count, neu.count], [2, 0]);
  assert.equal((await pm.decision(event.id)).side, 'legacy');

  const other = await pm.send(await opened(MOVER));
  assert.equal(other.headers['x-pointsman-backend'], 'new', 'only the event is pinned, not the entity');
});

withBothStores('an absolute mode moves a pinned event that was not done', async (world, store) => {
  const { pm, neu } = await world.system({
    store, mode: 'gradual', percentage: 1, legacy: { answer: { status: 503 } },
  });
  const event = await opened(MOVER);
  assert.equal((await pm.send(event)).status, 503);
  await pm.move('new_only');
  const answer = await pm.send(again(event));
  assert.equal(answer.headers['x-pointsman-backend'], 'new');
  assert.equal(neu.of(event.id).length, 1);
});

withBothStores('an entity stays with its owner while it is sticky', async (world, store) => {
  const { pm } = await world.system({ store, mode: 'gradual', percentage: 1 });
  const [owned, free] = movers(1, 50, 2);
  const sideOf = async (number) => (await pm.send(await opened(number))).headers['x-pointsman-backend'];
  assert.equal(await sideOf(owned), 'legacy');
  await pm.move('gradual', 50);
  assert.equal(await sideOf(owned), 'legacy');
  assert.equal(await sideOf(free), 'new');
  await pm.move('gradual', 100);
  assert.equal(await sideOf(owned), 'new', 'at 100 % everything moves');
});

for (const action of ['closed', 'deleted', 'transferred']) {
  scenario(`sticky closed: "${action}" releases the entity, "edited" does not`, async (world) => {
    const { pm } = await world.system({
      mode: 'gradual', percentage: 1, config: { rollout: { sticky: 'closed' } },
    });
    const [number] = movers(1, 50);
    const sideOf = async (options) => (await pm.send(await opened(number, options))).headers['x-pointsman-backend'];
    assert.equal(await sideOf(), 'legacy');
    await pm.move('gradual', 50);
    assert.equal(await sideOf({ action: 'edited' }), 'legacy');
    assert.equal(await sideOf({ action }), 'legacy');
    assert.equal(await sideOf({ action: 'edited' }), 'new');
  });
}

withBothStores('an entity open on legacy does not start on new when the percentage rises', async (world, store) => {
  const { pm, legacy, neu } = await world.system({
    store, mode: 'gradual', percentage: 1, config: { rollout: { sticky: 'in_flight' } },
  });
  legacy.hold();
  const first = await opened(MOVER);
  const second = await opened(MOVER, { action: 'edited' });
  const answers = [pm.send(first)];
  await legacy.wait(first.id);
  await pm.move('gradual', 99);
  answers.push(pm.send(second));
  await legacy.wait(second.id);
  assert.equal(neu.count, 0);
  legacy.release();
  for (const answer of await Promise.all(answers)) assert.equal(answer.headers['x-pointsman-backend'], 'legacy');
  const third = await pm.send(await opened(MOVER, { action: 'labeled' }));
  assert.equal(third.headers['x-pointsman-backend'], 'new', 'once nothing is open it moves');
});

for (const [mode, percentage] of [['new_only'], ['gradual', 100]]) {
  withBothStores(`an entity open on legacy waits for its end under ${mode} ${percentage ?? ''}`, async (world, store) => {
    const { pm, legacy, neu } = await world.system({ store, mode: 'legacy_only' });
    legacy.hold();
    const first = await opened(7);
    const second = await opened(7, { action: 'edited' });
    const firstAnswer = pm.send(first);
    const open = await legacy.wait(first.id);
    await pm.move(mode, percentage);
    const secondAnswer = pm.send(second);
    await stays('nothing starts on new while legacy works', () => neu.count === 0 && legacy.count === 1);
    legacy.release();
    assert.equal((await firstAnswer).headers['x-pointsman-backend'], 'legacy');
    const answer = await secondAnswer;
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['x-pointsman-backend'], 'new');
    const [moved] = neu.of(second.id);
    assert.ok(BigInt(moved.headers['x-pointsman-fence']) > BigInt(open.headers['x-pointsman-fence']),
      'the fence rises when an entity changes hands');
  });
}

scenario('an entity whose other side never ends is not answered by both: 503 or 504 at the deadline', async (world) => {
  const { pm, legacy, neu } = await world.system({ mode: 'legacy_only', source: { deadline: '1s' } });
  legacy.hold();
  const first = pm.send(await opened(7));
  await until('legacy has it', () => legacy.count === 1);
  await pm.move('new_only');
  const second = await opened(7, { action: 'edited' });
  const answer = await pm.send(second);
  assert.ok([503, 504].includes(answer.status), `${answer.status} ${answer.text}`);
  assert.equal(neu.count, 0);
  legacy.release();
  await first;
  const retried = await pm.send(again(second));
  assert.equal(retried.status, 200, 'nothing was claimed by the attempt that never started');
  assert.equal(retried.headers['x-pointsman-backend'], 'new');
});
