// A real redis-server of the test's own, and a tiny RESP client to speak to it.

import net from 'node:net';
import { end, isAlive, lines, start } from './children.mjs';
import { DEADLINE, until, within } from './wait.mjs';

/** A port that was free a moment ago. */
export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

class RedisError extends Error {}

/** One complete reply from `at`, as [value, next], or null when bytes are missing. */
function parse(text, at) {
  const eol = text.indexOf('\r\n', at);
  if (eol < 0) return null;
  const kind = text[at];
  const head = text.slice(at + 1, eol);
  const next = eol + 2;
  if (kind === '+') return [head, next];
  if (kind === '-') return [new RedisError(head), next];
  if (kind === ':') return [Number(head), next];
  const size = Number(head);
  if (size < 0) return [null, next];
  if (kind === '$') {
    if (text.length < next + size + 2) return null;
    return [Buffer.from(text.slice(next, next + size), 'latin1').toString('utf8'), next + size + 2];
  }
  if (kind !== '*') throw new Error(`unexpected reply ${JSON.stringify(text.slice(at, at + 40))}`);
  const items = [];
  let from = next;
  for (let i = 0; i < size; i++) {
    const item = parse(text, from);
    if (!item) return null;
    items.push(item[0]);
    from = item[1];
  }
  return [items, from];
}

/** A client for one connection; `call` waits for its reply. */
export class RedisClient {
  #socket;
  #text = '';
  #waiting = [];

  static async connect(port, host = '127.0.0.1') {
    const client = new RedisClient();
    const socket = net.connect(port, host);
    client.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (data) => client.#take(data));
    socket.on('close', () => client.#fail(new Error('redis closed the connection')));
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.on('error', (error) => {
        reject(error);
        client.#fail(error);
      });
    });
    return client;
  }

  call(...args) {
    const parts = args.map((arg) => {
      const text = String(arg);
      return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
    });
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`*${args.length}\r\n${parts.join('')}`);
    });
  }

  close() {
    this.#socket.destroy();
  }

  #take(data) {
    this.#text += data;
    for (let reply; (reply = parse(this.#text, 0)); ) {
      this.#text = this.#text.slice(reply[1]);
      const { resolve, reject } = this.#waiting.shift();
      if (reply[0] instanceof RedisError) reject(reply[0]);
      else resolve(reply[0]);
    }
  }

  #fail(error) {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

export class Redis {
  #child;
  #client;

  static async start(dir) {
    const redis = new Redis();
    redis.dir = dir;
    for (let tries = 1; ; tries++) {
      redis.port = await freePort();
      try {
        await redis.restart();
        return redis;
      } catch (error) {
        // Somebody else may have taken the port in between.
        if (tries === 5) throw error;
      }
    }
  }

  get url() {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /** Starts it (again) on the same port, empty. */
  async restart() {
    const log = [];
    const child = start('redis-server', ['--port', this.port, '--bind', '127.0.0.1', '--save', '',
      '--appendonly', 'no', '--dir', this.dir, '--maxmemory-policy', 'noeviction'].map(String));
    lines(child.stdout, (line) => log.push(line));
    this.#child = child;
    this.#client = await until('redis-server answers PING', async () => {
      if (!isAlive(child)) return 'dead';
      const client = await RedisClient.connect(this.port);
      await client.call('PING');
      return client;
    });
    if (this.#client === 'dead') throw new Error(`redis-server ended:\n${log.join('\n')}`);
  }

  /** One command, e.g. redis.call('SET', 'a', 1), as redis-cli would send it. */
  call(...args) {
    return within(`redis ${args.join(' ')}`.slice(0, 100), this.#client.call(...args), DEADLINE);
  }

  set(key, value) {
    return this.call('SET', key, value);
  }

  get(key) {
    return this.call('GET', key);
  }

  /** It keeps its connections but answers nobody. */
  pause() {
    this.#child.kill('SIGSTOP');
  }

  resume() {
    this.#child.kill('SIGCONT');
  }

  async stop() {
    this.#client?.close();
    if (!isAlive(this.#child)) return;
    this.#child.kill('SIGCONT');
    await end(this.#child, 'SIGTERM');
  }
}
