// One pointsman of the fleet: fixed ports, restarts, standstills, a faked wall clock; notes how it ended.

import fs from 'node:fs';
import path from 'node:path';
import { Pointsman } from '../../e2e/harness/pointsman.mjs';
import { configOf } from './config.mjs';

const FAKETIME = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1'].find((file) => fs.existsSync(file));

export class Instance {
  #wanted = false;
  /** Ends that nobody asked for, and complaints of all its lives. */
  wrong = [];

  /** `env` may preload a library already; `clock`: its wall clock can be moved. */
  constructor(run, { name, dir, address, index, redisUrl, backends, env = {}, clock = false }) {
    this.name = name;
    this.dir = path.join(dir, name);
    this.host = address;
    this.port = 18121 + index;
    this.adminPort = 18131 + index;
    fs.mkdirSync(this.dir, { recursive: true });
    this.clockFile = path.join(this.dir, 'clock');
    const all = { ...env };
    const libraries = env.LD_PRELOAD ? [env.LD_PRELOAD] : [];
    if (clock && FAKETIME) {
      fs.writeFileSync(this.clockFile, '+0\n');
      libraries.push(FAKETIME);
      Object.assign(all, {
        FAKETIME_TIMESTAMP_FILE: this.clockFile, FAKETIME_CACHE_DURATION: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1',
      });
    }
    if (libraries.length > 0) all.LD_PRELOAD = libraries.join(':');
    this.hasClock = clock && FAKETIME !== undefined;
    const config = configOf(run, { name, address, port: this.port, adminPort: this.adminPort, redisUrl, backends });
    this.pm = new Pointsman({ name, dir: this.dir, config, env: all });
    this.journal = path.join(this.dir, 'var', 'journal.db');
  }

  get alive() {
    return this.pm.alive;
  }

  /** Starts it and waits until it listens; ready comes later where Redis is away. `may`: a fault may keep it down. */
  async start({ may = false } = {}) {
    this.#wanted = !may;
    this.pm.spawn();
    const { pm } = this;
    pm.ended.then(({ code, signal }) => {
      if (this.#wanted) this.wrong.push(`${this.name} ended by itself with ${code ?? signal}:\n${pm.tail()}`);
      this.#complaints();
      this.#sweep(pm.pid);
    });
    await this.pm.listening();
    this.#wanted = true;
  }

  /** What libfaketime leaves behind when its process is killed. */
  #sweep(pid) {
    for (const name of ['faketime_shm_', 'sem.faketime_sem_']) fs.rmSync(`/dev/shm/${name}${pid}`, { force: true });
  }

  #complaints() {
    const found = this.pm.complaints();
    if (found.length > 0) this.wrong.push(`${this.name} complained:\n${found.join('\n')}`);
  }

  ready() {
    return this.pm.ready();
  }

  async kill9() {
    this.#wanted = false;
    if (this.alive) await this.pm.kill9();
  }

  /** SIGTERM, as a supervisor does it; how it ended is judged. */
  async term(deadline = 30_000) {
    this.#wanted = false;
    if (!this.alive) return;
    this.pm.signal('SIGCONT');
    try {
      await this.pm.stop({ deadline });
    } catch (error) {
      this.wrong.push(error.message);
      if (this.alive) await this.pm.kill9();
    }
  }

  stop() {
    if (this.alive) this.pm.signal('SIGSTOP');
  }

  resume() {
    if (this.alive) this.pm.signal('SIGCONT');
  }

  /** Moves its wall clock by so many seconds; its monotonic clock goes on. */
  jump(seconds) {
    fs.writeFileSync(this.clockFile, `${seconds >= 0 ? '+' : ''}${seconds}\n`);
  }

  status() {
    return this.pm.status();
  }

  admin(method, target, body) {
    return this.pm.admin(method, target, body);
  }
}

