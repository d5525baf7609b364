// Real HTTP backends that record all they receive and answer as told.

import http from 'node:http';
import { until } from './wait.mjs';

/** What arrived, with the promises tests want to make about it. */
export class Received {
  requests = [];

  /** Requests that carry this event id. */
  of(id) {
    return this.requests.filter((request) => request.headers['x-pointsman-event'] === id);
  }

  get count() {
    return this.requests.length;
  }

  /** The first request of that event, once it has arrived. */
  wait(id) {
    return until(`event ${id} arrives at ${this.name}`, () => this.of(id)[0]);
  }

  waitCount(n) {
    return until(`${n} requests at ${this.name} (now ${this.count})`, () => this.count >= n);
  }

  forget() {
    this.requests.length = 0;
  }
}

export class Backend extends Received {
  #server;
  #held = null;
  /** What probes of /healthz are answered. */
  health = 200;
  probes = 0;

  /**
   * `answer`: {status, headers, body, delay} or a function of the recorded request that returns one (or a promise).
   * Without it: 200 and {"backend": name}.
   */
  static async start({ name = 'backend', answer, port = 0, path = '', handler } = {}) {
    const backend = new Backend();
    backend.name = name;
    backend.path = path;
    backend.answer = answer;
    backend.handler = handler;
    await backend.#listen(port);
    return backend;
  }

  async #listen(port) {
    const server = http.createServer({ keepAliveTimeout: 60_000 }, (req, res) => this.#serve(req, res));
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', 4096, resolve);
    });
    this.#server = server;
    this.port = server.address().port;
  }

  get url() {
    return `http://127.0.0.1:${this.port}${this.path}`;
  }

  /** Every request from now on waits (after it was recorded) until release(). */
  hold() {
    let open;
    const gate = new Promise((resolve) => (open = resolve));
    this.#held = { gate, open };
  }

  release() {
    this.#held?.open();
    this.#held = null;
  }

  #serve(req, res) {
    if (req.url === '/healthz') {
      this.probes++;
      res.writeHead(this.health).end();
      return;
    }
    const chunks = [];
    const arrived = performance.now();
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('error', () => {});
    req.on('end', () => {
      const request = {
        method: req.method,
        url: req.url,
        headers: req.headers,
        rawHeaders: req.rawHeaders,
        body: Buffer.concat(chunks),
        role: req.headers['x-pointsman-role'],
        arrived,
      };
      this.requests.push(request);
      this.#reply(request, req, res).catch((error) => res.destroy(error));
    });
  }

  async #reply(request, req, res) {
    if (this.#held) await this.#held.gate;
    if (this.handler) return this.handler(req, res, request);
    const told = typeof this.answer === 'function' ? await this.answer(request) : this.answer;
    const { status = 200, headers = {}, body, delay = 0 } = told ?? {};
    if (delay) await new Promise((resolve) => setTimeout(resolve, delay));
    if (res.destroyed) return;
    const text = body ?? JSON.stringify({ backend: this.name });
    res.writeHead(status, { 'Content-Type': 'application/json', 'X-Backend': this.name, ...headers });
    res.end(typeof text === 'object' && !Buffer.isBuffer(text) ? JSON.stringify(text) : text);
  }

  /** Nobody listens any more; open connections are cut. */
  async stop() {
    this.release();
    const server = this.#server;
    if (!server) return;
    this.#server = null;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** Listens again, on the same port. */
  restart() {
    return this.#listen(this.port);
  }
}
