// A backend that fails again and again: it is spared, tried with care, and new loses its traffic.

import assert from 'node:assert/strict';
import { delivery, issue } from './harness/github.mjs';
import { scenario } from './harness/scenario.mjs';
import { until } from './harness/wait.mjs';

const sendMany = async (pm, from, count) => {
  const answers = [];
  for (let number = from; number < from + count; number++)
    answers.push(await pm.send(await delivery('issues', issue(number))));
  return answers;
};

async function auditOf(pm) {
  const { json } = await pm.admin('GET', '/v1/audit');
  return Array.isArray(json) ? json : Object.values(json).find(Array.isArray);
}

scenario('new goes down: the fleet is back at legacy, by one rollback, and no event was refused', async (world) => {
  const { pms, legacy, neu } = await world.system({ store: 'redis', instances: 2, mode: 'new_only' });
  assert.equal((await pms[0].send(await delivery('issues', issue(1)))).json.backend, 'new');
  await neu.stop();
  const answers = await sendMany(pms[0], 2, 5);
  assert.deepEqual(answers.map((answer) => answer.json), Array(5).fill({ backend: 'legacy' }));
  for (const pm of pms) await pm.seesMode('emergency_rollback', 0);
  const { backends } = await pms[0].status();
  assert.deepEqual([backends.new.breaker, backends.new.breaker_reason], ['open', '5 attempts in a row failed']);
  assert.equal(backends.legacy.breaker, 'closed');
  for (const pm of pms) await sendMany(pm, 20, 3);
  const ours = (await auditOf(pms[1])).filter((entry) => entry.actor === 'pointsman');
  assert.equal(ours.length, 1, JSON.stringify(ours));
  assert.equal(ours[0].reason, 'new is down: 5 attempts in a row failed');
  assert.equal(ours[0].evidence.last_outcome, 'unsent');
  assert.equal(legacy.count, 5 + 2 * 3);
  assert.equal(await pms[0].metric('pointsman_breaker_opened_total', { backend: 'new' }), 1);
  assert.equal(await pms[0].metric('pointsman_auto_rollbacks_total'), 1);
  assert.equal(await pms[1].metric('pointsman_auto_rollbacks_total'), 0);
});

scenario('an open breaker spares legacy, and its probes close it', async (world) => {
  const { pm, legacy } = await world.system({
    source: { on_failure: 'answer' }, config: { breaker: { failures: 2, open: '300ms', probes: 2 } },
  });
  await legacy.stop();
  assert.deepEqual((await sendMany(pm, 1, 3)).map((answer) => answer.status), [502, 502, 503]);
  await legacy.restart();
  await until('legacy is tried again', async () => (await sendMany(pm, 10, 1))[0].status === 200);
  await sendMany(pm, 20, 2);
  assert.equal((await pm.status()).backends.legacy.breaker, 'closed');
  assert.equal((await pm.status()).mode, 'legacy_only');
});
