// The running program: started from a configuration, spoken to, stopped, its log read.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { end, isAlive, lines, run, start } from './children.mjs';
import { Client, RawConnection } from './http.mjs';
import { DEADLINE, Hopeless, until, within } from './wait.mjs';
import { yaml } from './yaml.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const BINARY = path.resolve(ROOT, process.env.POINTSMAN_BIN ?? 'build/pointsman');

/** What no log may ever contain. */
const REPORTS = [
  'ERROR: AddressSanitizer', 'ERROR: LeakSanitizer', 'runtime error:', 'WARNING: ThreadSanitizer',
  'Assertion', 'assertion', '"level":"fatal"',
];

export class Pointsman {
  #child;
  #client;
  #admin;
  /** Parsed log lines, and everything on stderr as it came. */
  log = [];
  stderr = [];

  /** `dir` is the instance's own; `env` is added to the environment, `args` to the command line of serve. */
  constructor({ name, dir, config, env = {}, args = [] }) {
    this.name = name;
    this.dir = dir;
    this.env = env;
    this.args = args;
    this.file = path.join(dir, 'pointsman.yaml');
    fs.mkdirSync(dir, { recursive: true });
    this.configure(config);
  }

  /** Writes the configuration file; text is written as it is. */
  configure(config) {
    this.config = config;
    fs.writeFileSync(this.file, typeof config === 'string' ? config : yaml(config));
  }

  /** Starts the process without waiting for anything. */
  spawn() {
    if (!fs.existsSync(BINARY)) throw new Error(`there is no ${BINARY}: make builds it, POINTSMAN_BIN names another`);
    this.log.length = 0;
    const env = { ...process.env, ...this.env };
    const child = this.launch(['serve', '-c', this.file, ...this.args], { cwd: this.dir, env });
    child.stdout.resume();
    lines(child.stderr, (line) => this.#read(line));
    this.#child = child;
    this.ended = child.ended;
  }

  launch(args, options) {
    return start(BINARY, args, options);
  }

  async start() {
    this.spawn();
    await this.listening();
    await this.ready();
    return this;
  }

  /** Learns the ports from the log and connects both sides to them. */
  async listening() {
    const port = (msg) => this.#whileAlive(`logs "${msg}"`, () => this.logged(msg)[0]?.address);
    const admin = await port('admin listening');
    this.address = await port('listening');
    this.#client?.close();
    this.#admin?.close();
    this.#client = new Client(this.address);
    this.#admin = new Client(admin, { connections: 4 });
    this.adminUrl = `http://${admin}`;
  }

  ready() {
    return this.#whileAlive('is ready', async () => (await this.admin('GET', '/readyz')).status === 200);
  }

  #whileAlive(what, condition) {
    return until(`${this.name} ${what}`, async () => {
      if (!this.alive) throw new Hopeless(`${this.name} ended before it ${what}:\n${this.tail()}`);
      return condition();
    });
  }

  #read(line) {
    this.stderr.push(line);
    try {
      this.log.push(JSON.parse(line));
    } catch {
      // Sanitizers write plain text; it is kept in stderr.
    }
  }

  logged(msg) {
    return this.log.filter((line) => line.msg === msg);
  }

  /** The decision line of an event, once it is there. */
  decision(id) {
    return until(`${this.name} logs the decision of ${id}`, () =>
      this.log.find((line) => line.event === id && line.outcome !== undefined));
  }

  /** The last lines of the log. */
  tail(n = 40) {
    return this.stderr.slice(-n).join('\n');
  }

  get pid() {
    return this.#child.pid;
  }

  get alive() {
    return this.#child !== undefined && isAlive(this.#child);
  }

  // ---- the sender's side ----

  send(delivery, options = {}) {
    const target = delivery.path + (options.query ?? '');
    return this.#client.request('POST', target, { ...delivery, ...options });
  }

  request(method, target, options) {
    return this.#client.request(method, target, options);
  }

  connect() {
    return RawConnection.open(this.address);
  }

  // ---- the operator's side ----

  async admin(method, target, body, headers = {}) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const all = text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    if (text === undefined && method !== 'GET') all['Content-Length'] = 0;
    return this.#admin.request(method, target, { headers: { ...all, ...headers }, body: text });
  }

  async status() {
    const answer = await this.admin('GET', '/v1/status');
    if (answer.status !== 200) throw new Error(`/v1/status answered ${answer.status}: ${answer.text}`);
    return answer.json;
  }

  /** Changes mode (and percentage), by force unless told otherwise, and waits until it counts here. */
  async move(mode, percentage, { force = true, reason = 'test' } = {}) {
    const answer = await this.admin('PUT', '/v1/mode', { mode, percentage, reason, force });
    if (answer.status !== 200) throw new Error(`move to ${mode} answered ${answer.status}: ${answer.text}`);
    await this.seesMode(mode, percentage);
    return answer;
  }

  seesMode(mode, percentage) {
    const wanted = `${mode}${percentage === undefined ? '' : ` at ${percentage} %`}`;
    return until(`${this.name} sees ${wanted}`, async () => {
      const now = await this.status();
      return now.mode === mode && (percentage === undefined || now.rollout_percentage === percentage) && now;
    });
  }

  /** Runs `pointsman …` against this instance's admin side: {code, stdout, stderr}. */
  cli(...args) {
    const env = { ...process.env, POINTSMAN_ADMIN: this.adminUrl };
    return run(BINARY, args.map(String), { cwd: this.dir, env });
  }

  /** Samples of /metrics: [{name, labels, value}]. */
  async metrics() {
    const { text } = await this.admin('GET', '/metrics');
    const samples = [];
    for (const line of text.split('\n')) {
      const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (!match) continue;
      const labels = {};
      for (const [, key, value] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[key] = value;
      samples.push({ name: match[1], labels, value: Number(match[3]) });
    }
    return samples;
  }

  /** Sum of the samples whose name is (or matches) `name` and that carry the labels. */
  async metric(name, labels = {}) {
    const fits = (sample) => (name instanceof RegExp ? name.test(sample.name) : sample.name === name) &&
      Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
    const found = (await this.metrics()).filter(fits);
    return found.length === 0 ? undefined : found.reduce((sum, sample) => sum + sample.value, 0);
  }

  // ---- its life ----

  signal(name) {
    this.#child.kill(name);
  }

  reload() {
    this.signal('SIGHUP');
  }

  /** SIGTERM; exit code 0 is expected. */
  async stop({ deadline = DEADLINE * 2 } = {}) {
    this.#client?.close();
    this.#admin?.close();
    if (!this.alive) return;
    const { code, signal } = await end(this.#child, 'SIGTERM', deadline);
    if (code !== 0) throw new Error(`${this.name} ended with ${code ?? signal} after SIGTERM:\n${this.tail()}`);
  }

  async kill9() {
    this.#client?.close();
    this.#admin?.close();
    await end(this.#child, 'SIGKILL');
  }

  /** The exit code of a process that was spawned to fail. */
  async exitCode() {
    const { code, signal } = await within(`the end of ${this.name}`, this.ended, DEADLINE);
    return code ?? signal;
  }

  /** Lines that no run may ever write. */
  complaints() {
    return this.stderr.filter((line) => REPORTS.some((report) => line.includes(report)));
  }
}

/** Runs the binary without a running instance, e.g. pointsman('check', '-c', file). */
export function pointsman(...args) {
  return run(BINARY, args.map(String));
}
