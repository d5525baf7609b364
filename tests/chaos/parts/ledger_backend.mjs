// One backend of the ledger process: speaks HTTP on raw sockets, misbehaves as told, writes what happened.

import { createHash } from 'node:crypto';
import net from 'node:net';
import { now } from './clock.mjs';

const HEAD_END = Buffer.from('\r\n\r\n');

/** Looks like the beginning of many things, but not of HTTP. */
const GARBAGE = [
  '\x16\x03\x01\x02\x00\x01\x00', 'HTTP/9.9 banana\r\n\r\n', 'SSH-2.0-OpenSSH_9.2\r\n', '{"status":"ok"}\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello', '\0\0\0\0\r\n\r\n',
];

function parseHead(text) {
  const [first, ...rest] = text.split('\r\n');
  const headers = {};
  for (const line of rest) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { line: first, headers };
}

/**
 * Ways to behave, each {kind, share (of requests it hits), …}; the first that hits counts, none is "ok":
 *   slow {ms: [low, high]}                 an answer in time or not; `ms` delays the others too
 *   hang {effect}                          no answer; `effect`: chance that the work is done all the same
 *   cut_request {bytes}                    reset when so many bytes of the request came
 *   cut_answer {bytes, effect}             reset after so many bytes of the answer
 *   status {status, retryAfter, effect}    another answer
 *   garbage {effect}                       no HTTP at all
 */
export class LedgerBackend {
  #server = null;
  #sockets = new Set();
  #behaviours = new Map();
  #frozen = null;
  #killed = 0;

  constructor({ side, address, port, rng, write, stalled }) {
    Object.assign(this, { side, address, port, rng, write, stalled });
  }

  /** Listens; also again after refuse() or die(). */
  async listen() {
    if (this.#server) return;
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#server = server;
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, this.address, 1024, resolve);
    });
  }

  /** Nobody listens any more; what is open stays, unless `cut`. */
  refuse({ cut = false } = {}) {
    this.#server?.close();
    this.#server = null;
    if (cut) for (const socket of [...this.#sockets]) this.#cut(socket);
  }

  /** As kill -9 looks from outside: no effect and no answer of what was in work, all connections gone. */
  die() {
    this.#killed++;
    this.refuse({ cut: true });
  }

  /** As SIGSTOP looks from outside: connections are accepted, requests are worked on when it goes on. */
  freeze() {
    this.#frozen ??= [];
  }

  thaw() {
    const waiting = this.#frozen ?? [];
    this.#frozen = null;
    for (const go of waiting) go();
  }

  behave(name, behaviour) {
    if (behaviour) this.#behaviours.set(name, behaviour);
    else this.#behaviours.delete(name);
  }

  #accept(socket) {
    const conn = { socket, bytes: Buffer.alloc(0), open: null, busy: false, gone: false };
    this.#sockets.add(socket);
    socket.conn = conn;
    socket.on('data', (data) => {
      conn.bytes = conn.bytes.length ? Buffer.concat([conn.bytes, data]) : data;
      this.#read(conn);
    });
    const gone = () => this.#gone(conn, 'peer');
    socket.on('end', gone);
    socket.on('error', gone);
    socket.on('close', gone);
  }

  #gone(conn, by) {
    if (conn.gone) return;
    conn.gone = true;
    this.#sockets.delete(conn.socket);
    if (conn.open) this.write({ t: now(), k: 'closed', n: conn.open.n, by });
    conn.open = null;
    conn.socket.destroy();
  }

  #cut(socket) {
    this.#gone(socket.conn, 'backend');
    socket.resetAndDestroy?.();
  }

  #read(conn) {
    if (conn.busy || conn.gone) return;
    const end = conn.bytes.indexOf(HEAD_END);
    if (end < 0) return;
    conn.request ??= { ...parseHead(conn.bytes.subarray(0, end).toString('latin1')), behaviour: this.#draw() };
    const { headers, line, behaviour } = conn.request;
    const length = Number(headers['content-length'] ?? 0);
    const whole = end + 4 + length;
    if (behaviour?.kind === 'cut_request' && headers['x-pointsman-event'] !== undefined &&
        conn.bytes.length >= Math.min(behaviour.bytes, whole)) {
      this.#received(conn, { headers, partial: true });
      this.#cut(conn.socket);
      return;
    }
    if (conn.bytes.length < whole) return;
    const body = conn.bytes.subarray(end + 4, whole);
    conn.bytes = conn.bytes.subarray(whole);
    conn.request = undefined;
    conn.busy = true;
    if (headers['x-pointsman-event'] === undefined) {
      this.#later(() => this.#say(conn, line.includes('/healthz') ? 200 : 404, '{}'));
      return;
    }
    const hash = createHash('sha256').update(body).digest('hex').slice(0, 16);
    this.#later(() => this.#work(conn, { headers, hash, behaviour }));
  }

  /**
   * What closed before this request came is noted before it: closings and data of one turn of the loop are told in any
   * order, and the end of a connection a turn after its last data, so the work waits for two turns; after a standstill
   * of the process, for all that piled up.
   */
  #later(work) {
    setImmediate(() => setImmediate(() => {
      const pause = this.stalled();
      if (pause > 0) setTimeout(() => this.#later(work), pause);
      else if (this.#frozen) this.#frozen.push(work);
      else work();
    }));
  }

  #draw() {
    for (const behaviour of this.#behaviours.values()) {
      if (this.rng.chance(behaviour.share ?? 1)) return behaviour;
    }
    return undefined;
  }

  #received(conn, { headers, hash, partial }) {
    const attempt = {
      n: this.write.serial(),
      event: headers['x-pointsman-event'],
      side: this.side,
      role: headers['x-pointsman-role'],
      attempt: Number(headers['x-pointsman-attempt']),
      fence: headers['x-pointsman-fence'],
      key: headers['idempotency-key'],
      inst: headers['x-chaos-instance'],
      hash,
      partial,
    };
    const t = now();
    // Late: who sent it had given it up before it was looked at.
    this.write({ t, k: 'received', ...attempt, late: conn.gone || undefined });
    if (conn.gone) this.write({ t, k: 'closed', n: attempt.n, by: 'peer' });
    else conn.open = attempt;
    return attempt;
  }

  async #work(conn, { headers, hash, behaviour }) {
    const attempt = this.#received(conn, { headers, hash });
    const life = this.#killed;
    const b = behaviour ?? { kind: 'ok' };
    const delay = this.rng.int(...(b.ms ?? [0, 3]));
    const rejected = headers['x-chaos-verdict'] === 'reject';
    await new Promise((resolve) => setTimeout(resolve, delay));
    if (life !== this.#killed) return;
    if (this.#frozen) await new Promise((resolve) => this.#frozen.push(resolve));
    const status = b.kind === 'status' ? b.status : rejected ? 422 : 200;
    // A backend that works slowly works to the end, whether or not somebody still waits.
    const works = ['ok', 'slow'].includes(b.kind) ? status === 200 : this.rng.chance(b.effect ?? 0);
    if (works && !rejected) this.write({ t: now(), k: 'effect', n: attempt.n });
    if (conn.gone || b.kind === 'hang') return;
    const more = b.retryAfter === undefined ? {} : { 'Retry-After': b.retryAfter };
    if (b.kind === 'garbage') {
      conn.socket.write(Buffer.from(this.rng.pick(GARBAGE), 'latin1'));
      conn.socket.end();
    } else if (b.kind === 'cut_answer') {
      const said = rejected ? 422 : 200;
      const answer = this.#answer(said, this.#did(attempt), {});
      this.write({ t: now(), k: 'said', n: attempt.n, status: said });
      conn.socket.write(answer.subarray(0, b.bytes), () => this.#cut(conn.socket));
    } else {
      conn.open = null;
      this.#say(conn, status, this.#did(attempt), more);
      this.write({ t: now(), k: 'answered', n: attempt.n, status });
    }
  }

  #did(attempt) {
    return JSON.stringify({ status: 'ok', side: this.side, did: attempt.event, n: attempt.n });
  }

  #answer(status, body, more) {
    const fields = { 'Content-Type': 'application/json', 'X-Ledger': this.side, 'Content-Length': body.length, ...more };
    const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    return Buffer.from(`HTTP/1.1 ${status} Said\r\n${head}\r\n${body}`, 'latin1');
  }

  #say(conn, status, body, more = {}) {
    conn.busy = false;
    if (conn.gone) return;
    conn.socket.write(this.#answer(status, body, more));
    this.#read(conn);
  }
}
