// The five modes: who gets an event and who answers.

import assert from 'node:assert/strict';
import { delivery, issue, numbersFor } from './harness/github.mjs';
import { scenario, withBothStores } from './harness/scenario.mjs';

const opened = (number, options) => delivery('issues', issue(number, options));

/** Numbers whose bucket at 50 % is the side's. */
const [ON_NEW] = numbersFor('new', 50, 1);
const [ON_LEGACY] = numbersFor('legacy', 50, 1);

const MODES = [
  // mode, percentage, number, legacy's role, new's role, answered by
  ['legacy_only', undefined, ON_NEW, 'owner', undefined, 'legacy'],
  ['emergency_rollback', undefined, ON_NEW, 'owner', undefined, 'legacy'],
  ['new_only', undefined, ON_LEGACY, undefined, 'owner', 'new'],
  ['parallel', undefined, ON_NEW, 'owner', 'shadow', 'legacy'],
  ['gradual', 50, ON_NEW, undefined, 'owner', 'new'],
  ['gradual', 50, ON_LEGACY, 'owner', undefined, 'legacy'],
  ['gradual', 0, ON_NEW, 'owner', undefined, 'legacy'],
  ['gradual', 100, ON_LEGACY, undefined, 'owner', 'new'],
];

for (const [mode, percentage, number, ofLegacy, ofNew, by] of MODES) {
  const at = percentage === undefined ? '' : ` at ${percentage} %`;
  withBothStores(`${mode}${at}: an entity of bucket "${number === ON_NEW ? 'new' : 'legacy'}" is answered by ${by}`,
    async (world, store) => {
      const { pm, legacy, neu } = await world.system({ store, mode, percentage });
      const event = await opened(number);

      const answer = await pm.send(event);

      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(answer.json, { backend: by });
      assert.equal(answer.headers['x-pointsman-mode'], mode);
      assert.equal(answer.headers['x-pointsman-backend'], by);
      for (const [backend, name, role] of [[legacy, 'legacy', ofLegacy], [neu, 'new', ofNew]]) {
        if (role) await backend.waitCount(1);
        assert.deepEqual(backend.requests.map((request) => request.role), role ? [role] : [], name);
        for (const request of backend.requests) assert.equal(request.headers['x-pointsman-backend'], name);
      }
    });
}

withBothStores('where nothing is set, legacy gets all', async (world, store) => {
  const { pm, legacy, neu } = await world.system({ store });
  assert.equal((await pm.status()).mode, 'legacy_only');
  for (const number of [ON_NEW, ON_LEGACY]) {
    const answer = await pm.send(await opened(number));
    assert.equal(answer.headers['x-pointsman-mode'], 'legacy_only');
  }
  assert.deepEqual([legacy.count, neu.count], [2, 0]);
});

scenario('modes are accepted by the backends\' names, in any case, with spaces', async (world) => {
  const { pm, redis } = await world.system({ store: 'redis' });
  for (const [written, mode] of [['python_only', 'new_only'], ['TypeScript_Only', 'legacy_only'],
    ['  Emergency_Rollback ', 'emergency_rollback'], ['PARALLEL', 'parallel']]) {
    await redis.set('pointsman:system_mode', written);
    await pm.seesMode(mode);
  }
  await redis.call('MSET', 'pointsman:system_mode', 'gradual', 'pointsman:rollout_percentage', ' 12.5% ');
  await pm.seesMode('gradual', 12.5);
});

scenario('modulo, Story 8.3: at 25 % issues 1 and 24 go to new, 25 and 99 to legacy', async (world) => {
  const { pm, legacy, neu } = await world.system({
    mode: 'gradual', percentage: 25, config: { rollout: { bucket: 'modulo' } },
  });
  const sides = {};
  for (const number of [1, 24, 25, 99]) {
    sides[number] = (await pm.send(await opened(number))).headers['x-pointsman-backend'];
  }
  assert.deepEqual(sides, { 1: 'new', 24: 'new', 25: 'legacy', 99: 'legacy' });
  const push = await delivery('push', { ref: 'refs/heads/main', repository: { full_name: 'octocat/Hello-World' } });
  assert.equal((await pm.send(push)).headers['x-pointsman-backend'], 'legacy', 'no number: legacy');
  assert.deepEqual([legacy.count, neu.count], [3, 2]);
});

withBothStores('emergency_rollback from python_only sends all to legacy', async (world, store) => {
  const { pm, legacy, neu } = await world.system({ store, mode: 'new_only' });
  await pm.send(await opened(1));
  assert.equal(neu.count, 1);

  const moved = await pm.admin('POST', '/migration/mode/emergency_rollback?reason=it+burns');

  assert.equal(moved.status, 200, moved.text);
  assert.deepEqual([moved.json.success, moved.json.new_mode], [true, 'emergency_rollback']);
  await pm.seesMode('emergency_rollback', 0);
  for (const number of [1, ON_NEW, ON_LEGACY]) {
    const answer = await pm.send(await opened(number, { action: 'edited' }));
    assert.equal(answer.headers['x-pointsman-backend'], 'legacy');
  }
  assert.deepEqual([legacy.count, neu.count], [3, 1]);
});

for (const [key, same, other] of [
  ['repository', ['a/b#1', 'a/b#2'], 'a/c#1'],
  ['owner', ['a/b#1', 'a/c#2'], 'b/b#1'],
]) {
  scenario(`rollout.key ${key}: what shares the ${key} shares the bucket`, async (world) => {
    const { pm } = await world.system({
      mode: 'gradual', percentage: 50, config: { rollout: { key, sticky: 'in_flight' } },
    });
    const bucket = async (entity) => {
      const [repo, number] = entity.split('#');
      const event = await opened(Number(number), { repo });
      await pm.send(event);
      return (await pm.decision(event.id)).bucket;
    };
    assert.equal(await bucket(same[0]), await bucket(same[1]));
    assert.notEqual(await bucket(same[0]), await bucket(other));
  });
}

// ---- reply: summary ----

const started = (by) => ({ status: 202, body: { status: 'workflow_started', by } });

scenario('reply summary names the system that did it', async (world) => {
  const { pm } = await world.system({
    mode: 'gradual', percentage: 100, source: { reply: 'summary' }, neu: { answer: started('p') },
  });
  const answer = await pm.send(await opened(1));
  assert.equal(answer.status, 200);
  const { status, systems, mode } = answer.json;
  assert.deepEqual([status, mode], ['routed', 'gradual']);
  assert.deepEqual(systems, [{ system: 'python', status: 'workflow_started', by: 'p' }]);
});

scenario('reply summary in parallel names both, and a body that is no JSON object by its status', async (world) => {
  const { pm } = await world.system({
    mode: 'parallel', source: { reply: 'summary' },
    legacy: { answer: started('t') }, neu: { answer: { status: 201, body: 'plain text' } },
  });
  const { json } = await pm.send(await opened(1));
  const system = (name) => json.systems.find((one) => one.system === name);
  assert.equal(json.systems.length, 2);
  assert.deepEqual(system('typescript'), { system: 'typescript', status: 'workflow_started', by: 't' });
  assert.deepEqual(system('python'), { system: 'python', http_status: 201 });
  assert.deepEqual([json.status, json.mode], ['routed', 'parallel']);
});

scenario('reply summary in parallel: a leg without an answer at the deadline is pending', async (world) => {
  const { pm } = await world.system({
    mode: 'parallel', source: { reply: 'summary', deadline: '1s' },
    legacy: { answer: started('t') }, neu: { behaviour: 'hangs' },
  });
  const answer = await pm.send(await opened(1));
  assert.equal(answer.status, 200);
  const python = answer.json.systems.find((one) => one.system === 'python');
  assert.equal(python.status, 'pending');
});
