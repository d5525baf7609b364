// One test with its own world: everything it starts ends with it, and every log is searched afterwards.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Backend } from './backend.mjs';
import { SECRET, PATH } from './github.mjs';
import { Pointsman } from './pointsman.mjs';
import { Redis } from './redis.mjs';
import { Rogue } from './rogue.mjs';
import { SLOW } from './wait.mjs';
import { merge } from './yaml.mjs';

let usualSource = {};

/** What this file's sources differ in from the program's defaults. */
export function usually(source) {
  usualSource = source;
}

export const STORES = ['embedded', 'redis'];

class World {
  #instances = [];
  #backends = [];
  #redis = [];
  #raw = [];

  constructor() {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pointsman-e2e-'));
  }

  async redis() {
    const redis = await Redis.start(this.dir);
    this.#redis.push(redis);
    return redis;
  }

  /** A real HTTP backend, or with `behaviour` one that breaks the rules. */
  async backend(options = {}) {
    return this.adopt(options.behaviour ? await Rogue.start(options) : await Backend.start(options));
  }

  /** Something with a stop() and a url, to be stopped with the backends. */
  adopt(backend) {
    this.#backends.push(backend);
    return backend;
  }

  /** An instance that is not started yet. */
  instance(config, { name = `pointsman-${this.#instances.length + 1}`, dir, kind = Pointsman, ...more } = {}) {
    const pm = new kind({ name, dir: dir ?? path.join(this.dir, name), config, ...more });
    this.#instances.push(pm);
    return pm;
  }

  pointsman(config, options) {
    return this.instance(config, options).start();
  }

  /** A raw connection that is cut at the end. */
  async connect(pm) {
    const raw = await pm.connect();
    this.#raw.push(raw);
    return raw;
  }

  file(name, content) {
    const file = path.join(this.dir, name);
    fs.writeFileSync(file, content);
    return file;
  }

  /**
   * Two backends and one instance (or `instances`), in the given mode: {pm, pms, legacy, neu, redis}.
   * `config` is laid over the usual configuration, `source` over its only source; `legacy` and `neu` are options
   * of the backends, or something already started that has a url.
   */
  async system(options = {}) {
    const { store = 'embedded', mode, percentage, instances = 1, config = {}, source = {}, env } = options;
    const legacy = await this.#side('legacy', options.legacy);
    const neu = await this.#side('new', options.neu);
    const redis = options.redis ?? (store === 'redis' ? await this.redis() : undefined);
    const usual = {
      listeners: [{ address: '127.0.0.1:0' }],
      admin: { address: '127.0.0.1:0' },
      workers: 2,
      store: { kind: store, directory: 'var' },
      backends: {
        legacy: { name: 'typescript', url: legacy.url, timeout: '10s' },
        new: { name: 'python', url: neu.url, timeout: '10s', fallback: true },
      },
      rollout: { mode, percentage },
      sources: [merge({ path: PATH, provider: 'github', secrets: [{ value: SECRET }], deadline: '9s', ...usualSource }, source)],
    };
    if (redis) usual.store = { ...usual.store, when_down: 'refuse', redis: { url: redis.url } };
    const complete = merge(usual, config);
    const pms = [];
    for (let i = 0; i < instances; i++) pms.push(await this.pointsman(complete, { env }));
    if (mode) for (const pm of pms) await pm.seesMode(mode);
    return { pm: pms[0], pms, legacy, neu, redis, config: complete };
  }

  #side(name, option) {
    return option?.url ? option : this.backend({ name, ...option });
  }

  /** Ends all that was started, in the order that lets the program finish; returns what went wrong. */
  async end() {
    const wrong = [];
    const attempt = async (work) => {
      try {
        await work();
      } catch (error) {
        wrong.push(error.message);
      }
    };
    for (const raw of this.#raw) raw.destroy();
    for (const redis of this.#redis) await attempt(() => redis.resume());
    for (const backend of this.#backends) await attempt(() => backend.stop());
    for (const pm of this.#instances) await attempt(() => pm.stop());
    for (const pm of this.#instances) if (pm.alive) await attempt(() => pm.kill9());
    for (const redis of this.#redis) await attempt(() => redis.stop());
    for (const pm of this.#instances) {
      const complaints = pm.complaints();
      if (complaints.length > 0) wrong.push(`${pm.name} complained:\n${complaints.join('\n')}`);
    }
    fs.rmSync(this.dir, { recursive: true, force: true });
    return wrong;
  }

  logs() {
    return this.#instances.map((pm) => `--- log of ${pm.name}\n${pm.tail(80)}`).join('\n');
  }
}

/** Declares a test. `work` gets a World; what it started is ended and its logs are searched, however it ends. */
export function scenario(name, work, { timeout = 180_000 } = {}) {
  test(name, { timeout: timeout * SLOW }, async () => {
    const world = new World();
    let failure;
    try {
      await work(world);
    } catch (error) {
      failure = error;
    }
    const wrong = await world.end();
    if (failure === undefined && wrong.length > 0) failure = new Error(wrong.join('\n'));
    if (failure === undefined) return;
    console.error(`\n=== ${name}\n${wrong.join('\n')}\n${world.logs()}`);
    throw failure;
  });
}

/** The same test with each store. */
export function withBothStores(name, work, options) {
  for (const store of STORES) scenario(`${name} (${store})`, (world) => work(world, store), options);
}
