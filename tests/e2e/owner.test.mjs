// One owner: pins, sticky entities, and what waits while an entity is open at the other side.

import assert from 'node:assert/strict';
import { again, delivery, issue, movers } from './harness/github.mjs';
import { scenario, withBothStores, usually } from './harness/scenario.mjs';
import { each, pause, stays, until } from './harness/wait.mjs';

usually({ on_failure: 'answer' });

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

/** Two backends that note when an owner's attempt for an entity runs at both at once. */
function watched() {
  const running = new Map();
  const seen = { twice: [], fell: [] };
  const fences = new Map();
  const side = (name) => ({
    answer: async ({ role, headers, body }) => {
      if (role !== 'owner') return {};
      const { number } = JSON.parse(body).issue;
      const fence = BigInt(headers['x-pointsman-fence']);
      if (fence < (fences.get(number) ?? 0n)) seen.fell.push(number);
      fences.set(number, fence);
      const at = running.get(number) ?? { legacy: 0, new: 0 };
      running.set(number, at);
      if (at[name === 'legacy' ? 'new' : 'legacy'] > 0) seen.twice.push(number);
      at[name]++;
      await pause(Math.random() * 10);
      at[name]--;
      return {};
    },
  });
  return { legacy: side('legacy'), neu: side('new'), seen };
}

scenario('modes that change under load: no event twice, no entity at two sides at once', async (world) => {
  const { legacy: atLegacy, neu: atNew, seen } = watched();
  const { pms, legacy, neu } = await world.system({
    store: 'redis', instances: 2, mode: 'gradual', percentage: 50, config: { rollout: { sticky: 'in_flight' } },
    legacy: atLegacy, neu: atNew,
  });
  const events = await Promise.all(Array.from({ length: 600 }, (_, i) => opened(i % 20)));
  let over = false;
  const changing = (async () => {
    const modes = [['legacy_only'], ['gradual', 75], ['new_only'], ['parallel'], ['gradual', 10], ['emergency_rollback']];
    for (let i = 0; !over; i++) {
      const [mode, percentage] = modes[i % modes.length];
      const answer = await pms[i % 2].admin('PUT', '/v1/mode', { mode, percentage, force: true });
      assert.equal(answer.status, 200, answer.text);
    }
  })();
  const answers = await each(events, 30, (event) =>
    Promise.all([pms[0].send(event), pms[1].send(again(event)), pms[0].send(again(event))])).finally(() => (over = true));
  await changing;

  assert.deepEqual(seen, { twice: [], fell: [] });
  for (const [i, three] of answers.entries()) {
    assert.deepEqual(three.map((answer) => answer.status), [200, 200, 200], three.map((a) => a.text).join());
    const owners = [...legacy.of(events[i].id), ...neu.of(events[i].id)].filter(({ role }) => role === 'owner');
    assert.equal(owners.length, 1, events[i].id);
  }
  for (const pm of pms) {
    await until('nothing is open', async () => (await pm.metric('pointsman_attempts_open')) === 0);
    assert.equal(await pm.metric('pointsman_events_in_flight'), 0);
  }
});
