// Start, reload and end of the process.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { again, bytesOf, delivery, issue, PATH, SECRET } from './harness/github.mjs';
import { scenario, withBothStores } from './harness/scenario.mjs';
import { DEADLINE, each, SLOW, stays, until } from './harness/wait.mjs';

const opened = (number, options) => delivery('issues', issue(number), options);

// ---- SIGTERM ----

withBothStores('SIGTERM turns readiness off, finishes what is in flight and exits with 0', async (world, store) => {
  const { pm, legacy } = await world.system({ store });
  legacy.hold();
  const events = await Promise.all([1, 2, 3].map((number) => opened(number)));
  const answers = Promise.all(events.map((event) => pm.send(event)));
  await legacy.waitCount(3);

  pm.signal('SIGTERM');
  await until('readiness is off', async () => {
    const { status } = await pm.admin('GET', '/readyz');
    return status === 503;
  });
  await until('new connections are refused', () => pm.connect().then((raw) => raw.destroy(), () => true));
  legacy.release();

  for (const answer of await answers) assert.deepEqual([answer.status, answer.json], [200, { backend: 'legacy' }]);
  assert.equal(await pm.exitCode(), 0);

  await pm.start();
  for (const event of events) assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  assert.equal(legacy.count, 3);
});

scenario('SIGTERM does not wait longer than drain; what was cut off is in doubt', async (world) => {
  const { pm, legacy } = await world.system({ config: { drain: '300ms' } });
  legacy.hold();
  const event = await opened(7);
  const lost = pm.send(event).catch((error) => error);
  await legacy.wait(event.id);
  const begin = performance.now();
  pm.signal('SIGTERM');
  assert.equal(await pm.exitCode(), 0);
  assert.ok(performance.now() - begin < 5000 * SLOW);
  await lost;
  legacy.release();
  await pm.start();
  assert.equal((await pm.send(again(event))).json.status, 'in_doubt');
  assert.equal(legacy.count, 1);
});

scenario('SIGTERM ends an idle process at once, also with idle connections', async (world) => {
  const { pm } = await world.system();
  for (let i = 0; i < 50; i++) await world.connect(pm);
  await pm.send(await opened(1));
  const begin = performance.now();
  await pm.stop();
  assert.ok(performance.now() - begin < 3000 * SLOW, `took ${performance.now() - begin} ms`);
});

scenario('SIGTERM under load: every event is answered or refused, and what was answered is done once', async (world) => {
  const { pm, legacy } = await world.system({ legacy: { answer: { delay: 5 } } });
  const events = await Promise.all(Array.from({ length: 400 }, (_, n) => opened(n + 1)));
  const done = [];
  const ended = until('a part is done', () => done.length > 100).then(() => pm.signal('SIGTERM'));
  await each(events, 16, async (event) => {
    try {
      const answer = await pm.send(event);
      if (answer.status === 200) done.push(event.id);
    } catch {
      // Refused: the listener is closed.
    }
  });
  await ended;
  assert.equal(await pm.exitCode(), 0);
  for (const id of done) assert.equal(legacy.of(id).length, 1);
  assert.equal(new Set(legacy.requests.map((request) => request.headers['x-pointsman-event'])).size, legacy.count);
});

// ---- SIGHUP ----

scenario('SIGHUP takes a new secret and a new backend without losing an event', async (world) => {
  const { pm, legacy, neu, config } = await world.system();
  const fresh = await opened(1, { secret: 'the next secret' });
  assert.equal((await pm.send(fresh)).status, 401);
  legacy.hold();
  const open = await opened(2);
  const openAnswer = pm.send(open);
  await legacy.wait(open.id);

  const [source] = config.sources;
  pm.configure({
    ...config,
    backends: { ...config.backends, legacy: { ...config.backends.legacy, url: neu.url } },
    sources: [{ ...source, secrets: [...source.secrets, { value: 'the next secret' }] }],
  });
  pm.reload();
  await until('the new secret counts', async () => (await pm.send(again(fresh))).status === 200);
  assert.equal(neu.of(fresh.id).length, 1, 'the new address counts too');
  assert.equal((await pm.send(await opened(3))).status, 200, 'the old secret still does');

  legacy.release();
  assert.deepEqual((await openAnswer).json, { backend: 'legacy' }, 'what was in flight ends where it began');
});

scenario('SIGHUP with a bad file changes nothing, says why, and a good file is taken later', async (world) => {
  const { pm, config } = await world.system();
  const text = fs.readFileSync(pm.file, 'utf8');
  pm.configure(`${text}limits: {body: soon}\n`);
  const before = pm.log.length;
  pm.reload();
  await until('the log says why', () => pm.log.slice(before).some((line) =>
    ['warn', 'error'].includes(line.level) && JSON.stringify(line).includes('soon')));
  assert.equal((await pm.send(await opened(1))).status, 200);

  const [source] = config.sources;
  pm.configure({ ...config, sources: [{ ...source, secrets: [{ value: 'other' }] }] });
  pm.reload();
  const other = await opened(2, { secret: 'other' });
  await until('the good file counts', async () => (await pm.send(other)).status === 200);
  assert.equal((await pm.send(await opened(3, { secret: SECRET }))).status, 401);
});

scenario('SIGHUP keeps mode and percentage: the ones in the file are for the first start', async (world) => {
  const { pm, config } = await world.system({ mode: 'gradual', percentage: 10 });
  await pm.move('gradual', 30);
  pm.configure({ ...config, rollout: { mode: 'new_only' } });
  pm.reload();
  await until('it was reloaded', () => pm.logged('reloaded').length === 1);
  await stays('30 %', async () => (await pm.status()).rollout_percentage === 30);
  await pm.stop();
  await pm.start();
  const status = await pm.status();
  assert.deepEqual([status.mode, status.rollout_percentage], ['gradual', 30]);
});

// ---- start ----

scenario('secrets come from the environment and from files', async (world) => {
  const file = world.file('secret', 'from a file\n');
  const { pm } = await world.system({
    env: { POINTSMAN_E2E_SECRET: 'from the environment' },
    source: { secrets: [{ env: 'POINTSMAN_E2E_SECRET' }, { file }] },
  });
  for (const [secret, status] of [['from the environment', 200], ['from a file', 200], [SECRET, 401]]) {
    assert.equal((await pm.send(await opened(1, { secret }))).status, status, secret);
  }
});

scenario('secrets: none takes unsigned events', async (world) => {
  const { pm } = await world.system({ source: { secrets: 'none' } });
  assert.equal((await pm.send(await opened(1, { secret: null }))).status, 200);
});

scenario('an address that is taken is an error that names it, exit code 1', async (world) => {
  const other = await world.backend();
  const address = `127.0.0.1:${other.port}`;
  const { pm, config } = await world.system();
  await pm.stop();
  for (const taken of [{ listeners: [{ address }] }, { admin: { address } }]) {
    pm.configure({ ...config, ...taken });
    pm.spawn();
    assert.equal(await pm.exitCode(), 1);
    await until('it names the address', () => pm.tail().includes(address));
  }
});

scenario('neither secrets nor bodies are ever logged', async (world) => {
  const { pm } = await world.system();
  await pm.send(await delivery('issues', issue(1, { note: 'confidential text' })));
  await pm.send(await delivery('issues', '{"broken": "confidential text"'));
  await pm.send(await delivery('issues', issue(2), { secret: 'wrong' }));
  await pm.stop();
  const log = pm.stderr.join('\n');
  for (const secret of [SECRET, 'confidential text', 'sha256=']) assert.ok(!log.includes(secret), secret);
});

scenario('readiness is off while the directory is not there', async (world) => {
  const { pm } = await world.system();
  fs.renameSync(`${pm.dir}/var`, `${pm.dir}/gone`);
  const answer = await pm.admin('GET', '/readyz');
  assert.equal(answer.status, 503);
  assert.match(answer.json.detail, /var/);
  fs.renameSync(`${pm.dir}/gone`, `${pm.dir}/var`);
  assert.equal((await pm.admin('GET', '/readyz')).status, 200);
});

scenario('the decision line names what was refused, as far as it has a name', async (world) => {
  const { pm } = await world.system();
  const wrong = await opened(1, { secret: 'wrong' });
  const cut = await delivery('issues', '{"action":');
  const nameless = await opened(1, { headers: { 'X-GitHub-Delivery': undefined } });
  for (const [event, status] of [[wrong, 401], [cut, 400], [nameless, 400]]) {
    assert.equal((await pm.send(event)).status, status);
  }
  const lines = await until('three lines', () => pm.logged('decision').length === 3 && pm.logged('decision'));
  assert.deepEqual(lines.map(({ event, status }) => [event, status]), [[wrong.id, 401], [cut.id, 400], ['-', 400]]);
});

scenario('the decision line explains an event', async (world) => {
  const { pm } = await world.system({ mode: 'gradual', percentage: 25 });
  const event = await opened(7);
  await pm.send(event);
  const line = await pm.decision(event.id);
  const wanted = {
    event: event.id, source: 'github', type: 'issues', action: 'opened', entity: 'octocat/Hello-World#7',
    mode: 'gradual', side: 'new', why: 'bucket', bucket: 79256, attempt: 1, outcome: 'done', status: 200,
  };
  for (const [key, value] of Object.entries(wanted)) assert.equal(line[key], value, `${key} in ${JSON.stringify(line)}`);
  assert.equal(Number(line.percentage), 25);
  assert.equal(typeof line.epoch, 'number');
  assert.ok('fence' in line && 'claim' in line, JSON.stringify(line));
  const steps = ['accept', 'parse', 'verify', 'identify', 'filter', 'decide', 'claim', 'forward', 'record', 'reply'];
  assert.deepEqual(Object.keys(line.ms), steps);
});

scenario('the decision line tells the mode, the percentage and the epoch of its own event', async (world) => {
  const { pm } = await world.system({ mode: 'gradual', percentage: 25 });
  const moves = [['gradual', 25], ['gradual', 12.5], ['parallel', 12.5], ['gradual', 25], ['gradual', 50], ['gradual', 25]];
  for (const [i, [mode, percentage]] of moves.entries()) {
    if (i > 0) await pm.move(mode, percentage);
    if (i === 4) continue; // the next line differs from the last one in its epoch alone
    const event = await opened(i + 1);
    await pm.send(event);
    const line = await pm.decision(event.id);
    assert.deepEqual([line.mode, line.percentage, line.epoch], [mode, percentage, i + 1]);
  }
});

// ---- many ----

scenario('1,000 idle connections hold nobody up and are all served', async (world) => {
  const { pm } = await world.system();
  const idle = await each(Array.from({ length: 1000 }), 50, () => world.connect(pm));
  for (let number = 1; number <= 20; number++) {
    const answer = await pm.send(await opened(number));
    assert.equal(answer.status, 200);
    assert.ok(answer.ms < 1000 * SLOW, `answered after ${answer.ms} ms`);
  }
  await each(idle, 50, async (raw, i) => {
    assert.equal(raw.ended, false, 'an idle connection was closed');
    await raw.write(await bytesOf(pm, i + 1));
    assert.equal((await raw.response(DEADLINE * 2)).status, 200);
  });
});

scenario('connections beyond the limit do not harm those within it', async (world) => {
  const { pm } = await world.system({ config: { limits: { connections: 20 } } });
  const within = await world.connect(pm);
  within.write(await bytesOf(pm, 1));
  assert.equal((await within.response()).status, 200);
  for (let i = 0; i < 60; i++) await world.connect(pm).catch(() => {});
  within.write(await bytesOf(pm, 2, { target: PATH }));
  assert.equal((await within.response()).status, 200);
  assert.equal((await pm.admin('GET', '/healthz')).status, 200);
});
