// The sender's side: a keep-alive client, and a raw connection for bytes no client library would send.

import http from 'node:http';
import net from 'node:net';
import { DEADLINE, within } from './wait.mjs';

function answerOf(status, headers, body) {
  return {
    status,
    headers,
    body,
    text: body.toString('utf8'),
    get json() {
      return JSON.parse(this.text);
    },
  };
}

/** A client with its own keep-alive connections to one address ("127.0.0.1:1234"). */
export class Client {
  #agent;

  constructor(address, { connections = 64 } = {}) {
    this.address = address;
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' });
  }

  /** The answer: {status, headers, body, text, json, ms}. `continued`: a 100 came first. */
  request(method, path, { headers = {}, body, deadline = DEADLINE * 2, onRequest } = {}) {
    const [host, port] = this.address.split(':');
    const begin = performance.now();
    const work = new Promise((resolve, reject) => {
      const req = http.request({ host, port, method, path, headers, agent: this.#agent });
      let continued = false;
      req.on('continue', () => {
        continued = true;
        req.end(body);
      });
      req.on('error', reject);
      req.on('response', (res) => {
        const chunks = [];
        res.on('data', (chunk) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () => {
          const answer = answerOf(res.statusCode, res.headers, Buffer.concat(chunks));
          answer.ms = performance.now() - begin;
          answer.continued = continued;
          if (!req.writableEnded) req.destroy();
          resolve(answer);
        });
      });
      onRequest?.(req);
      if (headers.Expect) req.flushHeaders();
      else req.end(body);
    });
    return within(`the answer to ${method} ${path}`, work, deadline);
  }

  close() {
    this.#agent.destroy();
  }
}

/** Reads one response from the front of `bytes`: {answer, size}, or null when bytes are missing. */
function readResponse(bytes, ended) {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [statusLine, ...fields] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const match = /^HTTP\/1\.([01]) (\d{3}) ?(.*)$/.exec(statusLine);
  if (!match) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const headers = {};
  for (const field of fields) {
    const colon = field.indexOf(':');
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const status = Number(match[2]);
  const start = headEnd + 4;
  const done = (body, size) => {
    const answer = answerOf(status, headers, body);
    answer.version = `1.${match[1]}`;
    return { answer, size };
  };
  if (status < 200 || status === 204 || status === 304) return done(Buffer.alloc(0), start);
  if (headers['transfer-encoding'] === 'chunked') return readChunked(bytes, start, done);
  if (headers['content-length'] === undefined) {
    return ended ? done(bytes.subarray(start), bytes.length) : null;
  }
  const size = start + Number(headers['content-length']);
  return bytes.length < size ? null : done(bytes.subarray(start, size), size);
}

function readChunked(bytes, start, done) {
  const parts = [];
  for (let at = start; ; ) {
    const eol = bytes.indexOf('\r\n', at);
    if (eol < 0) return null;
    const size = parseInt(bytes.subarray(at, eol).toString('latin1'), 16);
    const next = eol + 2 + size + 2;
    if (bytes.length < next) return null;
    if (size === 0) return done(Buffer.concat(parts), next);
    parts.push(bytes.subarray(eol + 2, eol + 2 + size));
    at = next;
  }
}

/** One TCP connection; `response()` waits for the next complete response on it. */
export class RawConnection {
  #socket;
  #bytes = Buffer.alloc(0);
  #wake = () => {};
  ended = false;

  static async open(address) {
    const [host, port] = address.split(':');
    const raw = new RawConnection();
    const socket = net.connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
    raw.#socket = socket;
    raw.closed = new Promise((resolve) => {
      const over = () => {
        raw.ended = true;
        raw.#wake();
        resolve();
      };
      socket.on('end', over);
      socket.on('close', over);
    });
    socket.on('data', (data) => {
      raw.#bytes = Buffer.concat([raw.#bytes, data]);
      raw.#wake();
    });
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    // The server may answer and close while the rest of a bad message is still being written.
    socket.on('error', () => {});
    return raw;
  }

  write(data) {
    return new Promise((resolve) => this.#socket.write(data, () => resolve()));
  }

  /** "Nothing more will come from me." */
  finish() {
    this.#socket.end();
  }

  async response(deadline = DEADLINE) {
    return within('a response on the raw connection', this.#next(), deadline);
  }

  async #next() {
    for (;;) {
      const found = readResponse(this.#bytes, this.ended);
      if (found) {
        this.#bytes = this.#bytes.subarray(found.size);
        return found.answer;
      }
      if (this.ended) {
        throw new Error(`closed without a complete response: ${this.#bytes.toString('latin1').slice(0, 200)}`);
      }
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }

  /** Resolves when the other side has closed. */
  waitClosed(deadline = DEADLINE) {
    return within('the server closes the connection', this.closed, deadline);
  }

  /** Bytes received and not yet taken by response(). */
  get pending() {
    return this.#bytes;
  }

  destroy() {
    this.#socket.destroy();
  }
}

/** A request as bytes. Header names and values are written as they are. */
export function requestBytes(method, target, headers, body = Buffer.alloc(0), version = '1.1') {
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/${version}\r\n${head.join('')}\r\n`, 'latin1'),
    Buffer.from(body),
  ]);
}
