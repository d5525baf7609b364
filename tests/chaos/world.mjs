// The world of one run: two instances, both backends in one process, Redis behind relays, senders; its end is a record.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { until } from '../e2e/harness/wait.mjs';
import { atExit } from './parts/cleanup.mjs';
import { now, sleep } from './parts/clock.mjs';
import { leaseOf, PREFIX, settings } from './parts/config.mjs';
import { Disks } from './parts/disks.mjs';
import { Instance } from './parts/instance.mjs';
import { Ledger } from './parts/ledger.mjs';
import { Links } from './parts/links.mjs';
import { Namespace } from './parts/namespace.mjs';
import { ChaosRedis } from './parts/redis.mjs';
import { Rng } from './parts/rng.mjs';
import { Senders } from './parts/senders.mjs';
import { FAULTS, opensOf } from './faults.mjs';

const NAMES = ['a', 'b'];
/** Queues must be empty so long after the last fault. */
export const HEAL_BOUND_MS = 60_000;
/** In a calm stretch nothing may hold up the machine for longer, or it is measured again. */
const STALL_MS = 150;
const QUIET_TRIES = 4;
const WARM_MS = 1500;

/** An address of this run's own: nobody else's ports are in the way. */
function ownAddress() {
  const part = () => 1 + Math.floor(Math.random() * 254);
  return `127.${part()}.${part()}.${part()}`;
}

export class World {
  faults = [];
  modes = [];
  calm = [];
  notes = [];
  #active = [];
  #drop = [];

  constructor({ seed, run = {} }) {
    this.seed = String(seed);
    this.rng = new Rng(seed);
    this.run = settings(run);
    this.dir = this.#temporary(os.tmpdir());
    const address = ownAddress();
    this.disks = new Disks({ dir: this.dir, names: NAMES, tmpfs: this.run.tmpfs });
    this.ledger = new Ledger({ dir: this.dir, address, seed: this.seed });
    this.#placeRedis(address);
    const backends = { legacy: this.ledger.url('legacy'), new: this.ledger.url('new') };
    this.instances = NAMES.map((name, index) => new Instance(this.run, {
      name, index, dir: this.dir, address, redisUrl: this.#redisUrl(name), backends, clock: this.run.clock !== false,
      env: this.disks.env(name),
    }));
    this.senders = new Senders({
      rng: this.rng.fork('senders'), instances: this.instances, sources: Object.keys(this.run.sources),
    });
  }

  /** A directory that is gone when the world ends. */
  #temporary(parent) {
    const dir = fs.mkdtempSync(path.join(parent, 'pointsman-chaos-'));
    this.#drop.push(atExit(() => fs.rmSync(dir, { recursive: true, force: true })));
    return dir;
  }

  /** Behind a relay for each instance, or, where the run asks for it and it is permitted, behind a cable. */
  #placeRedis(address) {
    this.namespace = this.run.namespace ? Namespace.open() : undefined;
    if (this.run.namespace && !this.namespace) this.notes.push('no network namespace is permitted here');
    const dir = fs.existsSync('/dev/shm') ? this.#temporary('/dev/shm') : this.dir;
    this.redis = new ChaosRedis({ dir, address: this.namespace?.address ?? address, inside: this.namespace?.inside });
    this.links = new Links({ address, names: NAMES, to: { host: address, port: this.redis.port } });
  }

  #redisUrl(name) {
    return this.namespace ? `redis://${this.redis.address}:${this.redis.port}/0` : this.links.url(name);
  }

  get lease() {
    return leaseOf(this.run);
  }

  instance(name) {
    return this.instances.find((one) => one.name === name);
  }

  async start() {
    await Promise.all([this.ledger.start(), this.redis.start(), this.links.start()]);
    await Promise.all(this.instances.map((one) => one.start()));
    await Promise.all(this.instances.map((one) => one.ready()));
    await this.#all('the store is up', ({ store }) => store.up);
    this.began = now();
  }

  /** Waits until the status of every instance fulfils the condition. */
  #all(what, condition) {
    return until(what, async () => (await Promise.all(this.instances.map((one) => one.status()))).every(condition));
  }

  /** Traffic until every breaker let its probes through: what the last fault left is over. */
  async warm(rate = 60) {
    this.senders.run({ rate, why: 'warm', ignored: false });
    await sleep(WARM_MS);
    await this.#all('all breakers are closed', ({ backends }) =>
      Object.values(backends).every(({ breaker }) => breaker === undefined || breaker === 'closed'));
    this.senders.pause();
    await this.senders.settled();
  }

  /** Starts an instance that is down. What keeps it from starting now must not keep it when the world has healed. */
  async revive(name) {
    const instance = this.instance(name);
    if (instance.alive) return;
    try {
      await instance.start({ may: this.#diskFails(name) });
    } catch (error) {
      this.notes.push(`${name} did not start: ${error.message.split('\n')[0]}`);
      await instance.kill9();
    }
  }

  #diskFails(name) {
    return this.faults.some((fault) => FAULTS[fault.name].on === 'disk' && fault.target === name && fault.to === Infinity);
  }

  // ---- steering ----

  /** Changes the mode through an instance's API and notes when it was surely in effect everywhere. */
  async move(mode, percentage, via = this.instances[0]) {
    const entry = { t: now(), mode, percentage, sure: false };
    this.modes.push(entry);
    const { status } = await via.admin('PUT', '/v1/mode', { mode, percentage, reason: 'chaos', force: true });
    if (status !== 200) throw new Error(`PUT /v1/mode ${mode} answered ${status}`);
    for (const one of this.instances) if (one.alive) await one.pm.seesMode(mode, percentage);
    entry.sure = true;
    entry.everywhere = now();
  }

  // ---- faults ----

  /** Injects a fault; answers the function that heals it. Its times are noted. */
  async inject(name, target, params = {}) {
    const fault = { name, target, params, from: now(), to: Infinity };
    fault.opens = opensOf(name, target, params, this.run);
    this.faults.push(fault);
    const undo = await FAULTS[name].inject(this, target, params);
    let healing;
    const heal = () => (healing ??= (async () => {
      this.#active.splice(this.#active.indexOf(heal), 1);
      await undo();
      fault.to = now();
    })());
    this.#active.push(heal);
    return heal;
  }

  /** Heals what is left, starts what is down, waits until nothing is queued. False: not within the bound. */
  async heal({ bound = HEAL_BOUND_MS } = {}) {
    this.healing = now();
    while (this.#active.length > 0) await this.#active[0]();
    for (const one of this.instances) await this.revive(one.name);
    for (const one of this.instances) await one.ready();
    await this.senders.settled();
    const end = this.healing + this.lease + bound;
    let told = false;
    for (;;) {
      if (!told) told = await this.senders.redeliver();
      const queues = await this.#queues();
      if (queues.every((n) => n === 0)) break;
      if (now() > end) {
        this.missed = `after ${bound} ms queued: ${queues.join(', ')}`;
        return false;
      }
      await sleep(100);
    }
    this.healed = now();
    return true;
  }

  async #queues() {
    const states = await Promise.all(this.instances.map((one) => one.status().catch(() => undefined)));
    return states.map((status) => (status === undefined ? 'unknown' : status.queue?.pending ?? 0));
  }

  /**
   * A stretch without faults in which availability is measured; again where the machine itself stood still meanwhile,
   * which says nothing of pointsman.
   */
  async quiet(ms, rate = 60) {
    for (let tries = 1; ; tries++) {
      const from = now();
      const stalled = watchMachine();
      this.senders.run({ rate, why: 'calm', ignored: false });
      await sleep(ms);
      this.senders.pause();
      await this.senders.settled();
      if (stalled() < STALL_MS || tries === QUIET_TRIES) {
        this.calm.push([from, now()]);
        return;
      }
      this.notes.push(`the machine stood still for ${Math.round(stalled())} ms, the calm stretch is measured again`);
      for (const send of this.senders.sends) if (send.why === 'calm' && send.from >= from) send.why = 'disturbed';
    }
  }

  // ---- the end ----

  /** Ends everything and answers the record that the checker judges. */
  async collect() {
    this.senders.finish();
    const status = {};
    for (const one of this.instances) {
      status[one.name] = await one.status().catch((error) => ({ error: error.message }));
    }
    const store = { events: [], entities: [] };
    store.events = await this.redis.records(PREFIX, 'ev').catch(() => []);
    store.entities = await this.redis.records(PREFIX, 'own').catch(() => []);
    for (const one of this.instances) await one.term();
    await this.ledger.finish();
    return {
      seed: this.seed,
      run: { ...this.run, lease: this.lease },
      began: this.began,
      healing: this.healing,
      healed: this.healed,
      ended: now(),
      missed: this.missed,
      calm: this.calm,
      faults: this.faults,
      modes: this.modes,
      wall: Date.now() - now(),
      events: [...this.senders.events.values()].map(({ headers: _h, body: _b, ...event }) => event),
      sends: this.senders.sends,
      ledger: this.ledger.read(),
      journals: Object.fromEntries(this.instances.map((one) => [one.name, readJournal(one.journal)])),
      store,
      status,
      wrong: [...new Set(this.instances.flatMap((one) => one.wrong))],
      notes: this.notes,
    };
  }

  /** Ends what still runs; `keep` a directory to copy disks, logs and ledger to. */
  async finish(keep) {
    this.senders.finish();
    for (const one of this.instances) await one.kill9();
    await this.redis.finish();
    await this.links.finish();
    this.namespace?.close();
    await this.ledger.finish();
    if (keep) {
      fs.mkdirSync(keep, { recursive: true });
      for (const one of this.instances) {
        fs.writeFileSync(path.join(keep, `${one.name}.log`), `${one.pm.stderr.join('\n')}\n`);
        this.disks.keep(one.name, path.join(keep, one.name));
        fs.copyFileSync(one.pm.file, path.join(keep, `${one.name}.yaml`));
      }
    }
    this.disks.finish();
    for (const drop of this.#drop) drop();
  }
}

/** The longest time this process was not scheduled, so far. */
function watchMachine() {
  let last = now();
  let longest = 0;
  const timer = setInterval(() => {
    longest = Math.max(longest, now() - last);
    last = now();
  }, 10);
  return () => {
    clearInterval(timer);
    return longest;
  };
}

const COLUMNS = 'seq, source, id, entity, type, state, reason, side, tries, attempt, fence, token, due, at, changed, status';

/** Rows of a journal that nobody has open; [] where there is none. */
export function readJournal(file) {
  if (!fs.existsSync(file)) return [];
  const sql = `SELECT ${COLUMNS} FROM event ORDER BY seq`;
  const text = execFileSync('sqlite3', ['-json', file, sql], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return text.trim() === '' ? [] : JSON.parse(text);
}
