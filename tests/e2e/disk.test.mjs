// The journal's disk is full, fails, is slow, or loses its power: faults from below SQLite, under the real program.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { delivery, issue } from './harness/github.mjs';
import { scenario } from './harness/scenario.mjs';
import { makeVfs } from './harness/vfs.mjs';
import { each, until } from './harness/wait.mjs';

const SOURCES = [
  { name: 'sync', path: '/sync', provider: 'github', secrets: 'none', on_failure: 'answer' },
  { name: 'async', path: '/async', provider: 'github', secrets: 'none', reply: 'accepted' },
];
const CONFIG = {
  sources: SOURCES,
  retry: { ladder: Array(12).fill('500ms'), jitter: '0%' },
  breaker: { failures: 1000, samples: 100000 },
};

async function start(world, options = {}) {
  const vfs = makeVfs(world.dir);
  return { vfs, ...(await world.system({ config: CONFIG, env: vfs.env, ...options })) };
}

const event = (path, number, filler = 0) =>
  delivery('issues', issue(number, { filler: 'x'.repeat(filler) }), { path });
const queue = async (pm) => (await pm.status()).queue;
const empty = (pm) => until('the queue is empty', async () => (await queue(pm)).pending === 0);
const errors = (pm, msg) => pm.logged(msg).filter(({ level }) => level === 'error');

/** Sends events until one is answered 202 again; returns it. */
const accepts = (pm) => until('events are taken again', async () => {
  const one = await event('/async', 999);
  return (await pm.send(one)).status === 202 && one;
});

async function refused(pm, answer) {
  assert.equal(answer.status, 503, answer.text);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  assert.match(answer.headers['retry-after'], /^[1-9]\d*$/);
  await until('status and metric say it', async () =>
    (await queue(pm)).accepting === false && (await pm.metric('pointsman_journal_accepting')) === 0);
  assert.ok((await queue(pm)).problem, 'and why');
}

async function works(pm) {
  await until('status and metric say that it works', async () =>
    (await queue(pm)).accepting === true && (await pm.metric('pointsman_journal_accepting')) === 1);
  await until('no problem is left', async () => !(await queue(pm)).problem);
}

scenario('a full disk: 503 for new events, the rest is worked off, and back without a restart', async (world) => {
  const { pm, legacy, vfs } = await start(world);
  const taken = [];
  const done = [];
  let status = 503;
  legacy.answer = ({ headers }) => {
    if (status === 200) done.push(headers['x-pointsman-event']);
    return { status };
  };
  vfs.set('full', 2);
  const answer = await until('the disk is full', async () => {
    const one = await event('/async', 100 + taken.length, 400_000);
    const now = await pm.send(one);
    if (now.status !== 202) return now;
    taken.push(one);
    return undefined;
  });
  await refused(pm, answer);
  assert.equal((await event('/sync', 1).then((one) => pm.send(one))).status, 503, 'the backend\'s own word');
  status = 200;
  assert.equal((await event('/sync', 2).then((one) => pm.send(one))).status, 200, 'what needs no journal goes on');
  await empty(pm);
  assert.equal((await pm.send(await event('/async', 3, 400_000))).status, 503, 'it is still full');
  await until('the error is logged', () => errors(pm, 'journal full').length >= 1);
  assert.equal(errors(pm, 'journal full').length, 1, 'one error');
  vfs.heal();
  taken.push(await accepts(pm));
  await works(pm);
  await empty(pm);
  assert.deepEqual([(await queue(pm)).dead, (await queue(pm)).parked], [0, 0]);
  for (const { id } of taken) assert.equal(done.filter((other) => other === id).length, 1, id);
});

scenario('fsync fails: 503 for new events, what was sent is settled once it works, nothing is sent twice', async (world) => {
  const { pm, legacy, vfs } = await start(world);
  vfs.set('forget', 1);
  vfs.set('lost', 2);
  legacy.hold();
  const held = await event('/async', 1);
  assert.equal((await pm.send(held)).status, 202);
  await legacy.wait(held.id);
  vfs.set('fail_sync', -1);
  const lost = await event('/async', 2);
  await refused(pm, await pm.send(lost));
  assert.equal(legacy.of(lost.id).length, 0, 'what was refused was not sent');
  legacy.release();
  assert.equal((await event('/sync', 3).then((one) => pm.send(one))).status, 200, 'what needs no journal goes on');
  await until('the error is logged', () => errors(pm, 'journal failed').length >= 1);
  assert.equal(errors(pm, 'journal failed').length, 1, 'one error');
  vfs.set('fail_sync', 0);
  const after = await accepts(pm);
  await works(pm);
  await empty(pm);
  assert.equal(legacy.of(held.id).length, 1);
  assert.equal(legacy.of(after.id).length, 1);
  assert.ok(legacy.of(lost.id).length <= 1, 'what was refused may be found on disk, and is then delivered');
  vfs.set('lost', 0);
  await pm.kill9();
  vfs.heal();
  await pm.start();
  await empty(pm);
  assert.equal(legacy.of(held.id).length, 1, 'its end is on disk');
  assert.deepEqual([(await queue(pm)).dead, (await queue(pm)).damaged], [0, 0]);
});

scenario('a slow fsync: events that need no journal go at full speed', async (world) => {
  const { pm, vfs } = await start(world);
  const slow = 500;
  const times = async (path, n, lanes) => each(Array.from({ length: n }, (_, i) => i + 1), lanes, async (number) => {
    const one = await event(path, number);
    const began = performance.now();
    const { status } = await pm.send(one);
    assert.equal(status, path === '/sync' ? 200 : 202);
    return performance.now() - began;
  });
  vfs.set('slow_sync_ms', slow);
  const idle = vfs.get('syncs');
  let over = false;
  const asyncTimes = [];
  const load = each([1, 2, 3, 4], 4, async () => {
    while (!over) asyncTimes.push(...await times('/async', 1, 1));
  });
  await until('the journal is busy', () => vfs.get('syncs') > idle + 2);
  const syncTimes = await times('/sync', 100, 1);
  over = true;
  await load;
  syncTimes.sort((a, b) => a - b);
  assert.ok(syncTimes[90] < slow / 2, `the 90th percentile is ${syncTimes[90]} ms`);
  assert.ok(Math.min(...asyncTimes) >= slow, 'a 202 comes after the fsync');
  vfs.heal();
  await empty(pm);
});

/** Sends events, eight at a time, until the program dies; the answered status by event id. */
async function sendUntilKilled(pm, filler) {
  const told = new Map();
  await each([1, 2, 3, 4, 5, 6, 7, 8], 8, async () => {
    while (pm.alive) {
      const one = await event('/async', told.size + 1, filler);
      told.set(one.id, undefined);
      const answer = await pm.send(one).catch(() => undefined);
      if (answer) told.set(one.id, answer.status);
    }
  });
  assert.equal(await pm.exitCode(), 'SIGKILL');
  return told;
}

const of202 = (told) => [...told].filter(([, status]) => status === 202).map(([id]) => id);

/** Every database is cut off at some write. */
function powerCut(vfs, torn) {
  const seed = randomInt(1_000_000);
  console.log(`# seed ${seed}`);
  vfs.set('forget', 1);
  vfs.set('match', 1);
  vfs.set('torn', torn);
  vfs.set('seed', seed);
  vfs.killNext(40 + seed % 60);
  return seed;
}

for (const torn of [0, 2]) {
  const left = torn ? 'some of what was not synced is there' : 'what was not synced is gone';
  scenario(`the power goes while events queue up, ${left}: each 202 is delivered once`, async (world) => {
    const { pm, legacy, vfs } = await start(world);
    await legacy.stop();
    const told = await sendUntilKilled(pm, powerCut(vfs, torn) % 30_000);
    const accepted = of202(told);
    assert.ok(accepted.length > 3, `${accepted.length} of ${told.size} were accepted`);
    vfs.heal();
    await legacy.restart();
    await pm.start();
    await empty(pm);
    for (const id of accepted) assert.equal(legacy.of(id).length, 1, `${id} was answered 202`);
    for (const id of told.keys()) assert.ok(legacy.of(id).length <= 1, `${id} came twice`);
    assert.deepEqual([(await queue(pm)).dead, (await queue(pm)).damaged], [0, 0]);
  });

  scenario(`the power goes while events are sent, ${left}: each 202 is delivered once, or listed as in doubt`, async (world) => {
    const { pm, legacy, vfs } = await start(world);
    const told = await sendUntilKilled(pm, powerCut(vfs, torn) % 30_000);
    vfs.heal();
    await pm.start();
    await empty(pm);
    const doubt = new Set((await pm.admin('GET', '/v1/doubt')).json.map((row) => row.event));
    const accepted = of202(told);
    assert.ok(accepted.length > 3, `${accepted.length} of ${told.size} were accepted`);
    for (const id of accepted) assert.ok(legacy.of(id).length === 1 || doubt.has(id), `${id} was answered 202`);
    for (const id of told.keys()) assert.ok(legacy.of(id).length <= 1, `${id} came twice`);
  });
}
