// Backends that break the rules of HTTP, each in one way.

import net from 'node:net';
import { Received } from './backend.mjs';

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n';

/** Writes until the peer has gone or `total` bytes are out, at the peer's pace. */
function flood(socket, piece, total) {
  let sent = 0;
  const more = () => {
    while (sent < total && !socket.destroyed) {
      sent += piece.length;
      if (!socket.write(piece)) {
        socket.once('drain', more);
        return;
      }
    }
    if (!socket.destroyed) socket.end('\r\n');
  };
  more();
}

/** What each rogue does once a whole request is there. */
export const ROGUES = {
  'garbage': (socket) => socket.end('\x00\x01\x02 this is not HTTP\r\n\r\n'),
  'two content-lengths': (socket) =>
    socket.end(`${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!`),
  'closes early': (socket) => socket.end(`${OK}Content-Le`),
  'closes without a byte': (socket) => socket.end(),
  'reset after the request': (socket) => socket.resetAndDestroy(),
  '100 MiB of headers': (socket) => {
    socket.write(OK);
    flood(socket, Buffer.from(`X-Filler: ${'a'.repeat(65_000)}\r\n`), 100 * 1024 * 1024);
  },
  'hangs': () => {},
  'more bytes than said': (socket) => socket.write(`${OK}Content-Length: 2\r\n\r\nok and more`),
  'body closes early': (socket) => socket.end(`${OK}Content-Length: 100\r\n\r\nonly this`),
  'redirect': (socket) =>
    socket.end('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/elsewhere\r\nContent-Length: 0\r\n\r\n'),
  'huge body': (socket) => {
    const total = 64 * 1024 * 1024;
    socket.write(`${OK}Content-Length: ${total}\r\n\r\n`);
    flood(socket, Buffer.alloc(65_536, 'b'), total - 2);
  },
  'continues first': (socket) =>
    socket.end('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + `${OK}Content-Length: 2\r\n\r\nok`),
  'no length, ends by closing': (socket) => socket.end(`${OK}\r\nuntil the end`),
  'chunked in odd pieces': (socket) => {
    const bytes = Buffer.from(`${OK}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n3;x="y"\r\nbcd\r\n0\r\nT: 1\r\n\r\n`);
    let at = 0;
    const next = () => {
      if (at < bytes.length && !socket.destroyed) socket.write(bytes.subarray(at, ++at), () => setImmediate(next));
    };
    next();
  },
};

function requestOf(bytes) {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [line, ...fields] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const headers = {};
  for (const field of fields) {
    const colon = field.indexOf(':');
    headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
  }
  const size = headEnd + 4 + Number(headers['content-length'] ?? 0);
  if (bytes.length < size) return null;
  const [method, url] = line.split(' ');
  const body = bytes.subarray(headEnd + 4, size);
  return { method, url, headers, body, role: headers['x-pointsman-role'], size };
}

export class Rogue extends Received {
  #server;
  #sockets = new Set();

  static async start({ name = 'rogue', behaviour }) {
    if (!ROGUES[behaviour]) throw new Error(`no such rogue: ${behaviour}`);
    const rogue = new Rogue();
    rogue.name = name;
    rogue.behaviour = behaviour;
    rogue.#server = net.createServer((socket) => rogue.#serve(socket));
    await new Promise((resolve) => rogue.#server.listen(0, '127.0.0.1', resolve));
    rogue.port = rogue.#server.address().port;
    return rogue;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  #serve(socket) {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    let bytes = Buffer.alloc(0);
    socket.on('data', (data) => {
      bytes = Buffer.concat([bytes, data]);
      for (let request; (request = requestOf(bytes)); ) {
        bytes = bytes.subarray(request.size);
        this.requests.push({ ...request, arrived: performance.now() });
        ROGUES[this.behaviour](socket);
      }
    });
  }

  async stop() {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
