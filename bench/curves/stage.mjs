// What a measurement stands on: pointsman, both backends and perhaps a Redis, each on its cores, and what they use.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { end, isAlive, run, start } from '../../tests/e2e/harness/children.mjs';
import { Client } from '../../tests/e2e/harness/http.mjs';
import { RedisClient } from '../../tests/e2e/harness/redis.mjs';
import { Hopeless, until } from '../../tests/e2e/harness/wait.mjs';
import { merge, yaml } from '../../tests/e2e/harness/yaml.mjs';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const SECRET = 'bench-secret';
const BUILT = path.resolve(ROOT, process.env.POINTSMAN_BUILD ?? 'build');
const LOAD = path.join(BUILT, 'bench/load');
const HZ = 100; // of /proc/PID/stat

/** The core that what is measured has for itself, and the one that all others share. */
export const ALONE = '0';
export const OTHERS = `1-${os.cpus().length - 1}`;
export const ALL = `0-${os.cpus().length - 1}`;

/** The last lines of a file, for messages. */
function tail(file) {
  return fs.readFileSync(file, 'utf8').split('\n').slice(-12).join('\n');
}

export class Stage {
  #children = [];
  #client;
  #loads = 0;

  /** `dir` holds everything the processes write; a memory disk does not do where the disk is part of the measurement. */
  constructor(name, { disk = false } = {}) {
    const parent = disk ? path.join(ROOT, 'build') : os.tmpdir();
    this.dir = fs.mkdtempSync(path.join(parent, `curve-${name}-`));
  }

  /** Starts a program on `cores`; its output goes to a file. */
  start(name, cores, program, args, file = path.join(this.dir, `${name}.log`)) {
    const log = fs.openSync(file, 'w');
    const child = start('taskset', ['-c', cores, program, ...args.map(String)], { stdio: ['ignore', log, log], cwd: this.dir });
    fs.closeSync(log);
    this.#children.push(child);
    return Object.assign(child, { title: name, file });
  }

  async up(child, condition, deadline = 60_000) {
    await until(`${child.title} is up`, () => {
      if (!isAlive(child)) throw new Hopeless(`${child.title} ended:\n${tail(child.file)}`);
      return condition();
    }, { deadline });
    return child;
  }

  static async ports(n) {
    const { stdout } = await run(LOAD, ['--free-ports', String(n)]);
    return stdout.trim().split(/\s+/).map(Number);
  }

  /** `args` come behind the defaults: no persistence, nothing evicted. */
  async redis({ cores = OTHERS, args = [] } = {}) {
    const [port] = await Stage.ports(1);
    const child = this.start('redis', cores, 'redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '',
      '--appendonly', 'no', '--maxmemory-policy', 'noeviction', '--dir', this.dir, ...args]);
    const client = await this.#redisClient(child, port);
    return (this.store = Object.assign(child, { port, call: (...words) => client.call(...words) }));
  }

  async #redisClient(child, port) {
    let client;
    await this.up(child, async () => (client = await RedisClient.connect(port)));
    return client;
  }

  /** Both backends in one process that counts what it got. */
  async backends({ cores = OTHERS, args = [] } = {}) {
    const [legacy, fresh] = await Stage.ports(2);
    const child = this.start('backends', cores, path.join(BUILT, 'bench/backend'),
      ['--legacy', legacy, '--new', fresh, ...args]);
    this.ledger = Object.assign(child, { legacy, fresh });
    await this.up(child, () => this.ledgerSays());
    return child;
  }

  async ledgerSays() {
    return (await fetch(`http://127.0.0.1:${this.ledger.legacy}/`)).json();
  }

  /** The configuration of production, one worker; `over` is laid over it. */
  async configure(over = {}) {
    const [port, admin] = await Stage.ports(2);
    this.port = port;
    this.admin = admin;
    const redis = this.store && { kind: 'redis', redis: { url: `redis://127.0.0.1:${this.store.port}/0` } };
    this.config = merge({
      listeners: [{ address: `127.0.0.1:${port}` }],
      admin: { address: `127.0.0.1:${admin}` },
      workers: 1,
      store: { kind: 'embedded', directory: 'var', ...redis },
      backends: {
        legacy: { url: `http://127.0.0.1:${this.ledger.legacy}` },
        new: { url: `http://127.0.0.1:${this.ledger.fresh}` },
      },
      rollout: { mode: 'gradual', percentage: 25 },
      sources: [{ path: '/webhooks/github', provider: 'github', secrets: [{ value: SECRET }], on_failure: 'answer' }],
    }, over);
    this.file = path.join(this.dir, 'pointsman.yaml');
    fs.writeFileSync(this.file, yaml(this.config));
  }

  /** Starts pointsman and waits until it serves and grants claims (a new store is quiet for two seconds). */
  async pointsman({ cores = ALONE, config } = {}) {
    if (config || !this.config) await this.configure(config);
    const program = path.join(BUILT, 'pointsman');
    const { code, stderr } = await run(program, ['check', '-c', this.file], { cwd: this.dir });
    if (code !== 0) throw new Error(stderr);
    // A line an event is too much to be kept.
    const child = this.start('pointsman', cores, program, ['serve', '-c', this.file], '/dev/null');
    this.pid = child.pid;
    this.instance = child;
    this.#client?.close();
    this.#client = new Client(`127.0.0.1:${this.admin}`, { connections: 2 });
    await this.up(child, async () => (await this.ask('GET', '/readyz')).status === 200 && (await this.status()).store.up);
    return child;
  }

  ask(method, target, body) {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    return this.#client.request(method, target, { headers: method === 'GET' ? {} : headers, body: text || undefined });
  }

  async status() {
    return (await this.ask('GET', '/v1/status')).json;
  }

  /** Starts a load; `ended` of what is returned gives the object it printed. Errors are thrown where it fails. */
  load({ cores = OTHERS, ...options } = {}) {
    const payload = options.payloads ? undefined : path.join(ROOT, 'bench/payloads/issues.opened.json');
    const words = { port: this.port, secret: SECRET, payload, ...options };
    const args = Object.entries(words).flatMap(([name, value]) => {
      const option = `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
      if (value === undefined || value === false) return [];
      return value === true ? [option] : [].concat(value).flatMap((one) => [option, String(one)]);
    });
    const child = this.start(`load-${++this.#loads}`, cores, LOAD, args);
    const ended = child.ended.then(({ code, signal }) => {
      const said = fs.readFileSync(child.file, 'utf8');
      if (code !== 0) throw new Error(`load ${args.join(' ')} ended with ${code ?? signal}: ${said}`);
      return JSON.parse(said.slice(said.indexOf('{')));
    });
    ended.catch(() => {});
    return { child, ended };
  }

  async end(child, signal = 'SIGTERM') {
    if (isAlive(child)) await end(child, signal, 120_000);
    this.#children = this.#children.filter((one) => one !== child);
  }

  /** Ends everything, the youngest first, and removes what was written. */
  async close() {
    this.#client?.close();
    for (const child of this.#children.toReversed()) await this.end(child);
    fs.rmSync(this.dir, { recursive: true, force: true });
  }
}

// ---- what a process uses ----

function field(text, name) {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
}

/** Bytes, counts: {rss, peak, threads, descriptors}. */
export function usage(pid) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    rss: field(status, 'VmRSS') * 1024,
    peak: field(status, 'VmHWM') * 1024,
    threads: field(status, 'Threads'),
    descriptors: fs.readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** From now on VmHWM counts anew. */
export function forgetPeak(pid) {
  fs.writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** CPU the process has used, in µs. */
export function cpu(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * (1e6 / HZ);
}

/** Bytes that the files of a folder occupy, those whose name begins with `prefix`. */
export function fileBytes(dir, prefix = '') {
  return fs.readdirSync(dir).filter((name) => name.startsWith(prefix))
    .reduce((sum, name) => sum + fs.statSync(path.join(dir, name)).blocks * 512, 0);
}

/** Runs `work` beside a sampler, which may take its time: [result, samples with seconds since the beginning]. */
export async function sampled(every, look, work) {
  const samples = [];
  const began = performance.now();
  let over = false;
  const sampler = (async () => {
    while (!over) {
      const from = performance.now();
      samples.push({ t: (from - began) / 1000, ...(await look()) });
      await pause(Math.max(1, every - (performance.now() - from)), undefined, { ref: false });
    }
  })();
  try {
    return [await Promise.race([work(), sampler.then(() => new Promise(() => {}))]), samples];
  } finally {
    over = true;
    await sampler.catch(() => {});
  }
}
