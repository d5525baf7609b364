// Twenty thousand entities at seven percentages: each goes where an independent computation says.

import assert from 'node:assert/strict';
import { Counter, sendAll } from './harness/bulk.mjs';
import { PATH } from './harness/github.mjs';
import { scenario } from './harness/scenario.mjs';
import { bucketOf } from './harness/xxh3.mjs';

const ENTITIES = 20_000;
const PERCENTAGES = [0, 1, 12.5, 25, 50, 99, 100];

/** Names of many lengths, so that every branch of the hash is used: 0-16, 17-128, 129-240 and more bytes. */
function repository(n) {
  const name = `${'abcdefghij'[n % 10]}${'x'.repeat([1, 10, 40, 100, 200, 280][n % 6])}`;
  return `o/${name}`;
}

function entities(salt) {
  return Array.from({ length: ENTITIES }, (_, n) => {
    const repo = repository(n);
    return { n, repo, bucket: bucketOf(`${repo}#${n}`, salt) };
  });
}

function events(round, all) {
  return all.map(({ n, repo }) => ({
    id: `${round}-${n}`,
    type: 'issues',
    body: `{"action":"edited","issue":{"number":${n}},"repository":{"full_name":"${repo}"}}`,
  }));
}

/** Which entities' events of this round the counter got; none may come twice. */
function taken(counter, round) {
  const ids = counter.take();
  const numbers = new Set(ids.map((id) => {
    const [of, n] = id.split('-');
    assert.equal(of, String(round), `an event of round ${of} came in round ${round}`);
    return Number(n);
  }));
  assert.equal(numbers.size, ids.length, 'an event arrived twice');
  return numbers;
}

async function start(world, salt) {
  const legacy = world.adopt(await Counter.start());
  const neu = world.adopt(await Counter.start());
  const { pm, redis } = await world.system({
    store: 'redis',
    mode: 'gradual',
    percentage: 0,
    legacy,
    neu,
    source: { secrets: 'none' },
    config: { rollout: { sticky: 'in_flight', salt } },
  });
  return { pm, redis, legacy, neu };
}

async function round(system, percentage, all) {
  await system.redis.set('pointsman:rollout_percentage', percentage);
  await system.pm.seesMode('gradual', percentage);
  const statuses = await sendAll(system.pm.address, PATH, events(percentage, all));
  assert.deepEqual(statuses, { 200: all.length });
  const toNew = taken(system.neu, percentage);
  const toLegacy = taken(system.legacy, percentage);
  const wrong = all.filter(({ n, bucket }) => {
    const wanted = bucket < percentage * 10_000;
    return toNew.has(n) !== wanted || toLegacy.has(n) === wanted;
  });
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} entities at ${percentage} % went wrong`);
  return toNew;
}

scenario('20,000 entities go where predicted, and the set on new only grows', async (world) => {
  const all = entities('');
  const system = await start(world, undefined);
  let before = new Set();
  for (const percentage of PERCENTAGES) {
    const now = await round(system, percentage, all);
    for (const n of before) assert.ok(now.has(n), `entity ${n} left new at ${percentage} %`);
    before = now;
  }
  assert.equal(before.size, ENTITIES);
});

scenario('a salt deals the entities anew, as predicted', async (world) => {
  const all = entities('winter 2026');
  const system = await start(world, 'winter 2026');
  await round(system, 12.5, all);
});
