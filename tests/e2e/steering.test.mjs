// Steering by redis-cli and by the admin API: every instance obeys, refuses and remembers alike.

import assert from 'node:assert/strict';
import { delivery, issue, numbersFor } from './harness/github.mjs';
import { scenario, withBothStores } from './harness/scenario.mjs';
import { SLOW, stays, until } from './harness/wait.mjs';

const PROBED = { backends: { new: { health: { path: '/healthz', interval: '50ms' } } } };

async function healthyNew(pm) {
  await until('new is healthy', async () => (await pm.status()).backends.new.health === 'good');
}

/** How many changes the store has recorded. */
const recorded = (redis) => redis.call('XLEN', 'pointsman:audit');

async function auditOf(pm) {
  const { json } = await pm.admin('GET', '/v1/audit');
  return Array.isArray(json) ? json : Object.values(json).find(Array.isArray);
}

// ---- raw SET ----

scenario('a SET takes effect on two running instances within 500 ms', async (world) => {
  const { pms, redis } = await world.system({ store: 'redis', instances: 2 });
  const took = [];
  for (const [mode, percentage] of [['gradual', 25], ['parallel', 50], ['gradual', 75], ['new_only', 100],
    ['legacy_only', 0]]) {
    const begin = performance.now();
    await redis.call('MSET', 'pointsman:system_mode', mode, 'pointsman:rollout_percentage', percentage);
    await Promise.all(pms.map((pm) => pm.seesMode(mode)));
    took.push(performance.now() - begin);
  }
  const median = took.sort((a, b) => a - b)[2];
  assert.ok(median <= 500 * SLOW, `took ${took.map(Math.round)} ms`);
});

scenario('events follow a SET on both instances', async (world) => {
  const { pms, redis } = await world.system({ store: 'redis', instances: 2 });
  const [toNew] = numbersFor('new', 25, 1);
  const sides = async () => Promise.all(pms.map(async (pm, i) => {
    const event = await delivery('issues', issue(toNew, { repo: 'octocat/Hello-World', nonce: i }));
    return (await pm.send(event)).headers['x-pointsman-backend'];
  }));
  await redis.set('pointsman:rollout_percentage', '25');
  await redis.set('pointsman:system_mode', 'gradual');
  await Promise.all(pms.map((pm) => pm.seesMode('gradual', 25)));
  assert.deepEqual(await sides(), ['new', 'new']);
  await redis.set('pointsman:system_mode', 'legacy_only');
  await Promise.all(pms.map((pm) => pm.seesMode('legacy_only')));
  assert.deepEqual(await sides(), ['legacy', 'legacy']);
});

for (const [key, typo] of [
  ['pointsman:system_mode', 'gradul'],
  ['pointsman:system_mode', ''],
  ['pointsman:rollout_percentage', '25.00001'],
  ['pointsman:rollout_percentage', '101'],
  ['pointsman:rollout_percentage', '-1'],
  ['pointsman:rollout_percentage', '2S'],
  ['pointsman:rollout_percentage', ''],
]) {
  scenario(`a typo, SET ${key} "${typo}", changes nothing and is loudly visible`, async (world) => {
    const { pms, redis } = await world.system({ store: 'redis', instances: 2, mode: 'gradual', percentage: 50 });
    const good = await redis.get(key);
    const before = await recorded(redis);
    await redis.set(key, typo);

    for (const pm of pms) {
      await until('the metric says so', async () => (await pm.metric('pointsman_control_invalid')) === 1);
      await until('the log says so', () => pm.log.some((line) => line.level === 'error' &&
        (typo === '' || JSON.stringify(line).includes(typo))));
      const status = await pm.status();
      assert.deepEqual([status.mode, status.rollout_percentage], ['gradual', 50]);
      assert.ok(typo === '' || JSON.stringify(status).includes(typo), `the status hides it: ${JSON.stringify(status)}`);
    }
    const [toNew] = numbersFor('new', 50, 1);
    const answer = await pms[0].send(await delivery('issues', issue(toNew)));
    assert.equal(answer.headers['x-pointsman-backend'], 'new');
    assert.equal(await recorded(redis), before, 'what changed nothing is no change in the audit');

    await (good === null ? redis.call('DEL', key) : redis.set(key, good));
    for (const pm of pms) {
      await until('the metric is calm again', async () => (await pm.metric('pointsman_control_invalid')) === 0);
    }
  });
}

scenario('an instance that starts while a typo is SET obeys the last good pair', async (world) => {
  const { pm, redis, config } = await world.system({ store: 'redis', mode: 'gradual', percentage: 50 });
  await redis.set('pointsman:system_mode', 'legasy_only');
  await until('the first one noticed', async () => (await pm.metric('pointsman_control_invalid')) === 1);
  const second = await world.pointsman(config);
  await second.seesMode('gradual', 50);
  assert.equal(await second.metric('pointsman_control_invalid'), 1);
});

scenario('the audit has every change once, raw SETs too, whoever is watching', async (world) => {
  const { pms, redis } = await world.system({ store: 'redis', instances: 2 });
  const start = await recorded(redis);
  await redis.call('MSET', 'pointsman:rollout_percentage', '25', 'pointsman:system_mode', 'gradual');
  await Promise.all(pms.map((pm) => pm.seesMode('gradual', 25)));
  await pms[0].move('gradual', 50, { reason: 'looks good' });
  await pms[1].seesMode('gradual', 50);
  await pms[1].move('emergency_rollback', undefined, { reason: 'it burns' });
  await pms[0].seesMode('emergency_rollback', 0);

  await until('three changes', async () => (await recorded(redis)) === start + 3);
  await stays('three changes', async () => (await recorded(redis)) === start + 3, 700);
  for (const pm of pms) {
    const [third, second, first] = await auditOf(pm);
    assert.deepEqual([first.from, first.to], ['legacy_only', 'gradual']);
    assert.equal(first.actor, 'outside');
    assert.deepEqual([second.to, second.percentage, second.reason], ['gradual', 50, 'looks good']);
    assert.deepEqual([third.from, third.to, third.reason], ['gradual', 'emergency_rollback', 'it burns']);
    for (const entry of [first, second, third]) assert.ok(!Number.isNaN(Date.parse(entry.at)), entry.at);
  }
});

// ---- the admin API ----

withBothStores('PUT /v1/mode and /v1/rollout steer, POST /v1/rollback goes home to 0 %', async (world, store) => {
  const { pm } = await world.system({ store, config: PROBED });
  await healthyNew(pm);
  assert.equal((await pm.admin('PUT', '/v1/mode', { mode: 'gradual', percentage: 25, reason: 'go' })).status, 200);
  await pm.seesMode('gradual', 25);
  assert.equal((await pm.admin('PUT', '/v1/rollout', { percentage: 37.5 })).status, 200);
  await pm.seesMode('gradual', 37.5);
  assert.equal((await pm.admin('POST', '/v1/rollback', { reason: 'slow' })).status, 200);
  await pm.seesMode('emergency_rollback', 0);
  const audit = await auditOf(pm);
  assert.deepEqual(audit.slice(0, 3).map(({ to, percentage }) => [to, percentage]),
    [['emergency_rollback', 0], ['gradual', 37.5], ['gradual', 25]]);
  const { transitions } = await pm.status();
  assert.deepEqual([transitions[0].to, transitions[0].percentage], ['emergency_rollback', 0]);
});

const MOVES = [
  // from, percentage, to, percentage, allowed
  ['legacy_only', 0, 'parallel', undefined, true],
  ['legacy_only', 0, 'gradual', 5, true],
  ['legacy_only', 0, 'new_only', undefined, false],
  ['parallel', 0, 'gradual', 5, true],
  ['parallel', 0, 'new_only', undefined, false],
  ['parallel', 0, 'legacy_only', undefined, true],
  ['gradual', 50, 'parallel', undefined, true],
  ['gradual', 50, 'new_only', undefined, false],
  ['gradual', 100, 'new_only', undefined, true],
  ['gradual', 50, 'emergency_rollback', undefined, true],
  ['gradual', 50, 'legacy_only', undefined, true],
  ['new_only', 100, 'gradual', 50, true],
  ['new_only', 100, 'parallel', undefined, true],
  ['new_only', 100, 'emergency_rollback', undefined, true],
  ['emergency_rollback', 0, 'legacy_only', undefined, true],
  ['emergency_rollback', 0, 'gradual', 5, false],
  ['emergency_rollback', 0, 'parallel', undefined, false],
  ['emergency_rollback', 0, 'new_only', undefined, false],
];

withBothStores('the moves of the design are allowed, all others are refused with a reason unless forced',
  async (world, store) => {
    const { pm } = await world.system({ store, config: PROBED });
    await healthyNew(pm);
    for (const [from, percentage, to, wanted, allowed] of MOVES) {
      const what = `${from} ${percentage} -> ${to} ${wanted ?? ''}`;
      await pm.move(from, percentage);
      const answer = await pm.admin('PUT', '/v1/mode', { mode: to, percentage: wanted, reason: 'table' });
      assert.equal(answer.status, allowed ? 200 : 409, `${what}: ${answer.text}`);
      if (allowed) {
        await pm.seesMode(to);
      } else {
        assert.match(answer.headers['content-type'], /^application\/problem\+json/);
        assert.match(answer.json.detail, /force/, what);
        assert.equal((await pm.status()).mode, from, what);
        await pm.move(to, wanted);
      }
    }
  });

scenario('a move towards new is refused while new\'s health is unknown or bad', async (world) => {
  const { pm, neu } = await world.system();
  const toGradual = { mode: 'gradual', percentage: 5 };
  const unknown = await pm.admin('PUT', '/v1/mode', toGradual);
  assert.equal(unknown.status, 409, unknown.text);
  assert.match(unknown.json.detail, /health/);

  neu.health = 500;
  const probed = await world.system({ neu, config: PROBED });
  await until('new is bad', async () => (await probed.pm.status()).backends.new.health === 'bad');
  const bad = await probed.pm.admin('PUT', '/v1/mode', toGradual);
  assert.equal(bad.status, 409, bad.text);
  assert.equal((await probed.pm.admin('PUT', '/v1/mode', { ...toGradual, force: true })).status, 200);
});

for (const [what, method, target, body] of [
  ['an unknown mode', 'PUT', '/v1/mode', { mode: 'gradul' }],
  ['no mode', 'PUT', '/v1/mode', {}],
  ['a percentage over 100', 'PUT', '/v1/mode', { mode: 'gradual', percentage: 101 }],
  ['a percentage of five decimals', 'PUT', '/v1/rollout', { percentage: 1.00001 }],
  ['no percentage', 'PUT', '/v1/rollout', {}],
  ['an unknown mode in the path', 'POST', '/migration/mode/gradul', undefined],
]) {
  scenario(`the API refuses ${what} with 400 and a sentence`, async (world) => {
    const { pm } = await world.system();
    const answer = await pm.admin(method, target, body);
    assert.equal(answer.status, 400, answer.text);
    assert.ok(answer.json.detail.length > 10, answer.text);
    assert.equal((await pm.status()).mode, 'legacy_only');
  });
}

scenario('Story 8.3\'s addresses work as written', async (world) => {
  const { pm } = await world.system({ config: PROBED });
  await healthyNew(pm);
  const moved = await pm.admin('POST', '/migration/mode/parallel?reason=first+step&force=false');
  assert.equal(moved.status, 200, moved.text);
  assert.deepEqual([moved.json.success, moved.json.new_mode], [true, 'parallel']);
  await pm.seesMode('parallel');

  const refused = await pm.admin('POST', '/migration/mode/python_only?reason=too+early');
  assert.equal(refused.status, 409);
  const forced = await pm.admin('POST', '/migration/mode/python_only?reason=now&force=true');
  assert.deepEqual([forced.json.success, forced.json.new_mode], [true, 'new_only']);

  const { json: status } = await pm.admin('GET', '/migration/status');
  assert.equal(status.current_mode, 'new_only');
  assert.equal(typeof status.rollout_percentage, 'number');
  for (const key of ['python_system_health', 'typescript_system_health', 'performance_comparison']) {
    assert.ok(key in status, `${key} is missing`);
  }
  assert.equal(status.recent_transitions[0].reason, 'now');

  const back = await pm.admin('POST', '/migration/rollback?reason=enough');
  assert.equal(back.status, 200, back.text);
  assert.equal(back.json.success, true);
  await pm.seesMode(back.json.new_mode, 0);
});

scenario('requests with a foreign Origin or Host are refused and change nothing', async (world) => {
  const { pm } = await world.system();
  const change = ['PUT', '/v1/mode', { mode: 'parallel', force: true }];
  for (const headers of [{ Origin: 'http://evil.example' }, { Origin: 'null' }, { Host: 'evil.example' }]) {
    const answer = await pm.admin(...change, headers);
    assert.ok([400, 403, 421].includes(answer.status), `${JSON.stringify(headers)}: ${answer.status}`);
    const read = await pm.admin('GET', '/v1/status', undefined, headers);
    assert.ok([400, 403, 421].includes(read.status), `GET ${JSON.stringify(headers)}: ${read.status}`);
  }
  assert.equal((await pm.status()).mode, 'legacy_only');
  assert.equal((await pm.admin(...change, { Origin: pm.adminUrl })).status, 200);
});

scenario('an admin token is asked for, but not by health, readiness and metrics', async (world) => {
  const file = world.file('admin.token', 'open-sesame\n');
  const { pm } = await world.system({ config: { admin: { token: { file } } } });
  for (const target of ['/healthz', '/readyz', '/metrics']) {
    assert.equal((await pm.admin('GET', target)).status, 200, target);
  }
  assert.equal((await pm.admin('GET', '/v1/status')).status, 401);
  assert.equal((await pm.admin('GET', '/v1/status', undefined, { Authorization: 'Bearer wrong' })).status, 401);
  const answer = await pm.admin('GET', '/v1/status', undefined, { Authorization: 'Bearer open-sesame' });
  assert.equal(answer.status, 200);
});
