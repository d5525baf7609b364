// What a measurement stands on: pointsman with any configuration, both backends and perhaps a Redis; what they use.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RedisClient } from '../../tests/e2e/harness/redis.mjs';
import { Client } from '../../tests/e2e/harness/http.mjs';
import { merge, yaml } from '../../tests/e2e/harness/yaml.mjs';
import { residentKb, residentPeakKb } from '../lib/cpu.mjs';
import { getJson } from '../lib/http.mjs';
import { freePorts, SECRET, startLedger, startLoad } from '../lib/load.mjs';
import { Failure, newFolder, OTHER_CORE, pause, PROXY_CORE, scratch, start, stop, waitFor } from '../lib/processes.mjs';
import { startRedis } from '../lib/servers.mjs';

export class Stage {
  #opened = [];
  #client;

  /** `disk`: what is written lies on the disk of the checkout, since the disk is part of the measurement. */
  constructor({ disk = false } = {}) {
    this.dir = newFolder(disk ? 'build' : scratch);
    this.var = join(this.dir, 'var');
    mkdirSync(this.var);
  }

  async redis(options = {}) {
    this.store = await startRedis({ folder: this.dir, ...options });
    const client = await RedisClient.connect(this.store.port);
    this.#opened.push(this.store.process, { close: () => client.close() });
    this.store.call = (...words) => client.call(...words);
  }

  /** `options` are those of the backend. */
  async backends(options = {}) {
    const [legacy, fresh] = freePorts(2);
    this.ledger = await startLedger({ legacy, fresh, ...options });
    this.#opened.push(this.ledger.process);
  }

  ledgerSays() {
    return getJson(this.ledger.legacy, '/');
  }

  /** The configuration of production with one worker; `over` is laid over it. */
  configure(over = {}) {
    [this.port, this.admin] = freePorts(2);
    const redis = this.store && { kind: 'redis', redis: { url: `redis://127.0.0.1:${this.store.port}/0` } };
    this.config = merge({
      listeners: [{ address: `127.0.0.1:${this.port}` }],
      admin: { address: `127.0.0.1:${this.admin}` },
      workers: 1,
      store: { kind: 'embedded', directory: this.var, ...redis },
      backends: {
        legacy: { url: `http://127.0.0.1:${this.ledger.legacy}` },
        new: { url: `http://127.0.0.1:${this.ledger.fresh}` },
      },
      rollout: { mode: 'gradual', percentage: 25 },
      sources: [{ path: '/webhooks/github', provider: 'github', secrets: [{ value: SECRET }], on_failure: 'answer' }],
    }, over);
    this.file = join(this.dir, 'pointsman.yaml');
    writeFileSync(this.file, yaml(this.config));
    try {
      execFileSync('build/pointsman', ['check', '-c', this.file], { encoding: 'utf8', stdio: 'pipe' });
    } catch (error) {
      throw new Failure(`${this.file} is refused:\n${error.stdout}${error.stderr}`);
    }
  }

  /** Starts it and waits until it serves and grants claims: a store never seen before is quiet for two seconds. */
  async pointsman({ cores = PROXY_CORE, config } = {}) {
    if (config || !this.config) this.configure(config);
    this.instance = start('pointsman', cores, ['build/pointsman', 'serve', '-c', this.file], { silent: true });
    this.pid = this.instance.pid;
    this.#opened.push(this.instance);
    this.#client?.close();
    this.#client = new Client(`127.0.0.1:${this.admin}`, { connections: 2 });
    const ready = async () => (await this.ask('GET', '/readyz')).status === 200 && (await this.status()).store.up;
    await waitFor('pointsman', this.instance, ready, 120);
  }

  /** It ends by itself, which takes as long as it takes. */
  async leave() {
    this.instance.child.kill('SIGTERM');
    await this.instance.ended;
  }

  ask(method, target, body) {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    return this.#client.request(method, target, { headers: method === 'GET' ? {} : headers, body: text || undefined });
  }

  async status() {
    return (await this.ask('GET', '/v1/status')).json;
  }

  /** A load that runs: `report()` waits for what it says. */
  load(options) {
    return startLoad(this.port, options);
  }

  /** Ends everything, the youngest first. What was written goes when the program ends. */
  async close() {
    this.#client?.close();
    for (const one of this.#opened.toReversed()) await (one.close ? one.close() : stop(one));
  }
}

/** Runs `work` on a new stage, which is closed afterwards. */
export async function onStage(options, work) {
  const stage = new Stage(options);
  try {
    return await work(stage);
  } finally {
    await stage.close();
  }
}

// ---- what a process uses ----

/** Bytes and counts: {rss, peak, threads, descriptors}. */
export function usage(pid) {
  const threads = readdirSync(`/proc/${pid}/task`).length;
  const descriptors = readdirSync(`/proc/${pid}/fd`).length;
  return { rss: residentKb(pid) * 1024, peak: residentPeakKb(pid) * 1024, threads, descriptors };
}

/** Exact, where /proc/PID/status may lag behind by some pages. */
export function resident(pid) {
  return Number(/^Rss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024;
}

/** From now on VmHWM counts anew. */
export function forgetPeak(pid) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Bytes that the files of a folder occupy, those whose name begins with `prefix`. */
export function fileBytes(dir, prefix = '') {
  const sizes = readdirSync(dir).filter((name) => name.startsWith(prefix)).map((name) => {
    try {
      return statSync(join(dir, name)).blocks * 512;
    } catch {
      return 0; // gone since
    }
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What latency and CPU a report has, per event that was answered 2xx; `named`: whose CPU, by name; `others`: cores that
 * programs took which are not named. */
export function figures(report, named) {
  const { p50, p99, p999 } = report.latency_us;
  const done = report.answers.ok + report.answers.accepted_202;
  const cpu = Object.fromEntries(named.map((name) => [`${name}_us`, report.cpu_us[name] / done]));
  const others = report.others_us / report.seconds / 1e6;
  return { p50_us: p50, p99_us: p99, p999_us: p999, rate: done / report.seconds, others, ...cpu };
}

/** Runs `work` beside a sampler: [result, samples with seconds since the beginning]. */
export async function sampled(every, look, work) {
  const samples = [];
  const began = performance.now();
  let over = false;
  const sampler = (async () => {
    while (!over) {
      const from = performance.now();
      samples.push({ t: (from - began) / 1000, ...(await look()) });
      await pause(Math.max(1, every - (performance.now() - from)));
    }
  })();
  sampler.catch(() => {});
  try {
    return [await work(), samples];
  } finally {
    over = true;
    await sampler;
  }
}
