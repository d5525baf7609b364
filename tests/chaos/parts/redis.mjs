// The Redis of a run: keeps what it acknowledged (AOF, fsync always) unless told to forget.

import fs from 'node:fs';
import path from 'node:path';
import { end, isAlive, lines, start } from '../../e2e/harness/children.mjs';
import { RedisClient } from '../../e2e/harness/redis.mjs';
import { until, within } from '../../e2e/harness/wait.mjs';

const PORT = 18110;

export class ChaosRedis {
  #child;
  #client;
  #log = [];

  /** `inside`: a namespace to run in, as words before the command. */
  constructor({ dir, address, inside = [] }) {
    Object.assign(this, { dir: path.join(dir, 'redis'), address, port: PORT, inside });
    fs.mkdirSync(this.dir, { recursive: true });
  }

  async start() {
    const args = ['redis-server', '--port', this.port, '--bind', this.address, '--protected-mode', 'no', '--save', '',
      '--appendonly', 'yes', '--appendfsync', 'always', '--dir', this.dir, '--maxmemory-policy', 'noeviction'];
    const [program, ...rest] = [...this.inside, ...args].map(String);
    const child = start(program, rest);
    lines(child.stdout, (line) => this.#log.push(line));
    child.stderr.resume();
    this.#child = child;
    await until('redis-server answers PING', async () => {
      if (!isAlive(child)) throw new Error(`redis-server ended:\n${this.#log.slice(-20).join('\n')}`);
      this.#client?.close();
      this.#client = await RedisClient.connect(this.port, this.address);
      return (await this.#client.call('PING')) === 'PONG';
    });
  }

  get alive() {
    return isAlive(this.#child);
  }

  /** A command; gives up after `deadline` ms, since Redis may be under a fault. */
  call(args, deadline = 2000) {
    return within(`redis ${args.join(' ')}`.slice(0, 100), this.#client.call(...args), deadline);
  }

  async kill9() {
    this.#client?.close();
    await end(this.#child, 'SIGKILL');
  }

  /** What it kept on disk is gone too. */
  wipe() {
    fs.rmSync(this.dir, { recursive: true, force: true });
    fs.mkdirSync(this.dir, { recursive: true });
  }

  stop() {
    this.#child.kill('SIGSTOP');
  }

  resume() {
    this.#child.kill('SIGCONT');
  }

  async finish() {
    this.#client?.close();
    if (!this.#child || !isAlive(this.#child)) return;
    this.#child.kill('SIGCONT');
    await end(this.#child, 'SIGKILL');
  }

  /** All records of a kind ("ev", "own") as {key, text}. */
  async records(prefix, kind) {
    const found = [];
    let cursor = '0';
    do {
      const [next, keys] = await this.call(['SCAN', cursor, 'MATCH', `${prefix}${kind}:*`, 'COUNT', '1000'], 10_000);
      cursor = next;
      if (keys.length === 0) continue;
      const texts = await this.call(['MGET', ...keys], 10_000);
      keys.forEach((key, i) => texts[i] !== null && found.push({ key, text: texts[i] }));
    } while (cursor !== '0');
    return found;
  }
}
