// Restart and upgrade: sockets handed over, by systemd's protocol or to the next process, lose and repeat nothing.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { bytesOf, delivery, issue, again } from './harness/github.mjs';
import { scenario } from './harness/scenario.mjs';
import { Supervised } from './harness/supervised.mjs';
import { DEADLINE, pause, SLOW, until } from './harness/wait.mjs';

const opened = (number, options) => delivery('issues', issue(number), options);

/** Senders that keep their connections and senders that make new ones, until stop(). */
class Load {
  #running = true;
  sent = [];
  failed = [];
  answered = 0;

  constructor(address, { kept = 8, fresh = 4, every = 50 } = {}) {
    [this.host, this.port] = address.split(':');
    const agents = Array.from({ length: kept }, () => new http.Agent({ keepAlive: true, maxSockets: 1 }));
    this.lanes = [...agents, ...Array.from({ length: fresh }, () => false)].map((agent) => this.#lane(agent, every * SLOW));
    this.agents = agents;
  }

  async #lane(agent, every) {
    while (this.#running) {
      const event = await opened(this.sent.length + 1);
      this.sent.push(event.id);
      try {
        const status = await this.#post(event, agent);
        if (status < 200 || status > 299) this.failed.push(`${event.id}: status ${status}`);
        this.answered++;
      } catch (error) {
        this.failed.push(`${event.id}: ${error.message} (${agent ? 'kept' : 'new'} connection)`);
      }
      await pause(every);
    }
  }

  #post(event, agent) {
    return new Promise((resolve, reject) => {
      const { host, port } = this;
      const req = http.request({ host, port, method: 'POST', path: event.path, headers: event.headers, agent }, (res) => {
        res.resume();
        res.on('end', () => resolve(res.statusCode));
        res.on('error', reject);
      });
      req.on('error', reject);
      req.setTimeout(DEADLINE, () => req.destroy(new Error('no answer')));
      req.end(event.body);
    });
  }

  /** So many more are answered. */
  more(n) {
    const goal = this.answered + n;
    return until(`${n} more answers`, () => this.answered >= goal);
  }

  async stop() {
    this.#running = false;
    await Promise.all(this.lanes);
    for (const agent of this.agents) agent.destroy();
  }

  /** All answered by a 2xx, each at the backend exactly once. */
  check(backend) {
    assert.deepEqual(this.failed, []);
    const times = new Map();
    for (const { headers } of backend.requests) {
      const id = headers['x-pointsman-event'];
      times.set(id, (times.get(id) ?? 0) + 1);
    }
    assert.deepEqual(this.sent.filter((id) => times.get(id) !== 1), [], 'events that did not arrive exactly once');
  }
}

/** The next process over the same directory and configuration file. */
function successor(world, pm, config = pm.config) {
  return world.instance(config, { dir: pm.dir, args: ['--takeover'] });
}

/** Answers at once, mostly: each 50th answer takes a second. */
function uneven() {
  let n = 0;
  return () => ({ delay: ++n % 50 === 0 ? 1000 : n % 20 });
}

const RUNS = [
  { workers: [1, 2, 1, 2] },
  { workers: [2, 1, 3] },
  { workers: [2, 2, 1], store: 'redis' },
  { workers: [2, 1, 2], source: { reply: 'accepted' } },
];
for (const { workers: [begin, ...others], ...options } of RUNS) {
  const name = `${[begin, ...others]} workers ${JSON.stringify(options)}`;
  scenario(`taking over again and again loses and repeats nothing: ${name}`, async (world) => {
    const first = await world.system({ ...options, legacy: { answer: uneven() }, config: { workers: begin } });
    let { pm } = first;
    const { legacy, config } = first;
    const load = world.adopt(new Load(pm.address));
    await load.more(100);
    for (const workers of others) {
      const next = successor(world, pm, { ...config, workers });
      await next.start();
      assert.equal(next.address, pm.address);
      assert.equal(next.adminUrl, pm.adminUrl);
      assert.equal(await pm.exitCode(), 0);
      pm = next;
      await load.more(150);
    }
    await load.stop();
    await until('nothing is queued', async () => (await pm.status()).queue.pending === 0);
    load.check(legacy);
  });
}

scenario('a socket the supervisor holds survives restarts under load', async (world) => {
  const { legacy, config } = await world.system({ legacy: { answer: uneven() }, instances: 0 });
  const pm = await world.pointsman(config, { kind: Supervised });
  const load = world.adopt(new Load(pm.address));
  for (let i = 0; i < 4; i++) {
    const address = pm.address;
    await load.more(100);
    await pm.restart();
    assert.equal(pm.address, address);
  }
  await load.more(100);
  await load.stop();
  load.check(legacy);
  assert.equal(pm.stderr.filter((line) => line.includes('"sockets inherited"')).length, 5);
});

scenario('what is in flight ends in the old process; who connects meanwhile waits for the new one', async (world) => {
  const { pm, legacy } = await world.system();
  legacy.hold();
  const slow = await opened(1);
  const slowAnswer = pm.send(slow);
  await legacy.wait(slow.id);
  const next = successor(world, pm);
  next.spawn();
  await until('the old one accepts no more', () => pm.logged('stopping').length === 1 && next.logged('taking over').length === 1);
  await until('it is not ready', async () => (await pm.admin('GET', '/readyz')).status === 503);
  const waiting = await Promise.all([2, 3, 4].map(async (number) => {
    const raw = await world.connect(pm);
    raw.write(await bytesOf(pm, number));
    return raw;
  }));
  await until('the old one has closed its sockets', () => pm.alive && listens(pm.pid, pm.address) === 0);
  const last = await world.connect(pm);
  last.write(await bytesOf(pm, 5));
  legacy.release();
  assert.deepEqual((await slowAnswer).json, { backend: 'legacy' });
  assert.equal(await pm.exitCode(), 0);
  for (const raw of [...waiting, last]) assert.equal((await raw.response()).status, 200);
  await next.listening();
  assert.equal((await next.send(again(slow))).json.status, 'duplicate', 'the new one knows what the old one did');
  assert.equal(legacy.count, 5);
});

/** How many listening sockets of that address the process has open. */
function listens(pid, address) {
  const port = Number(address.split(':')[1]).toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set(fs.readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === '0A' && local.endsWith(`:${port}`)).map((fields) => `socket:[${fields[9]}]`));
  return fs.readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return inodes.has(fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

scenario('what is queued is delivered by the new process', async (world) => {
  const { pm, legacy } = await world.system();
  await legacy.stop();
  const event = await opened(1);
  assert.equal((await pm.send(event)).json.status, 'queued');
  const next = await successor(world, pm, { ...pm.config, retry: { ladder: ['50ms'] } }).start();
  assert.equal(await pm.exitCode(), 0);
  assert.equal((await next.status()).queue.pending, 1);
  await legacy.restart();
  await until('nothing is queued', async () => (await next.status()).queue.pending === 0);
  assert.equal(legacy.of(event.id).length, 1);
});

scenario('kill -9 of the old process in the middle of a takeover does not stop the new one', async (world) => {
  const { pm, legacy } = await world.system();
  legacy.hold();
  const cut = await opened(1);
  const cutAnswer = pm.send(cut).catch((error) => error);
  await legacy.wait(cut.id);
  const next = successor(world, pm);
  next.spawn();
  await until('the old one drains', () => pm.logged('stopping').length === 1);
  const raw = await world.connect(pm);
  await pm.kill9();
  await cutAnswer;
  legacy.release();
  await next.listening();
  await next.ready();
  raw.destroy();
  assert.equal((await next.send(again(cut))).json.status, 'in_doubt');
  assert.equal((await next.send(await opened(2))).status, 200);
  assert.equal(legacy.of(cut.id).length, 1);
});

scenario('a takeover that can not succeed leaves the old process as it was', async (world) => {
  const { pm, config } = await world.system();
  const taken = `127.0.0.1:${(await world.backend()).port}`;
  const bad = [
    { ...config, workers: 'many' },
    { ...config, listeners: [...config.listeners, { address: taken }] },
    { ...config, admin: { address: taken } },
  ];
  for (const [i, broken] of bad.entries()) {
    const next = successor(world, pm, broken);
    next.spawn();
    assert.equal(await next.exitCode(), 1);
    await until('it says why', () => next.tail().includes(i === 0 ? 'many' : taken));
    assert.equal((await pm.send(await opened(i + 1))).status, 200);
    assert.equal((await pm.admin('GET', '/readyz')).status, 200);
  }
  const good = await successor(world, pm, config).start();
  assert.equal(await pm.exitCode(), 0);
  assert.equal((await good.send(await opened(9))).status, 200);
});

scenario('a process that stands still is not taken over and goes on when it wakes up', async (world) => {
  const { pm } = await world.system();
  pm.signal('SIGSTOP');
  const next = successor(world, pm);
  next.spawn();
  try {
    assert.equal(await next.exitCode(), 1);
    await until('it names the process', () => next.tail().includes(`process ${pm.pid}`));
  } finally {
    pm.signal('SIGCONT');
  }
  assert.equal((await pm.send(await opened(1))).status, 200);
});

scenario('with nobody to take over from, the process starts and says so', async (world) => {
  const { pm } = await world.system();
  for (const end of ['stop', 'kill9']) {
    await pm[end]();
    pm.args = ['--takeover'];
    await pm.start();
    assert.equal(pm.logged('nothing to take over').length, 1);
  }
});

scenario('a socket no listener is configured for is an error that names it', async (world) => {
  const { config } = await world.system({ instances: 0 });
  const pm = world.instance({ ...config, listeners: [{ address: '127.0.0.2:0' }] }, { kind: Supervised });
  pm.spawn();
  assert.equal(await pm.exitCode(), 1);
  await until('it names the socket', () => /LISTEN_FDS passes descriptor 3.*127\.0\.0\.1:\d+.*127\.0\.0\.2:0/.test(pm.tail()));
});

scenario('SIGTERM serves what is on its way on kept connections and in the queue', async (world) => {
  const { pm, legacy } = await world.system({ config: { workers: 1 } });
  const kept = await world.connect(pm);
  kept.write(await bytesOf(pm, 1));
  assert.equal((await kept.response()).headers.connection, undefined);
  pm.signal('SIGTERM');
  await until('it stops', () => pm.logged('stopping').length === 1);
  kept.write(await bytesOf(pm, 2));
  const answer = await kept.response();
  assert.deepEqual([answer.status, answer.headers.connection], [200, 'close']);
  assert.equal(await pm.exitCode(), 0);
  assert.equal(legacy.count, 2);
});
