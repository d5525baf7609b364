// Many small events fast: a pipelining sender and a backend that only notes who got what.

import net from 'node:net';
import { once } from 'node:events';

/** Size of the first whole message in `text` (latin1), or 0. Only for messages with Content-Length. */
function messageSize(text, at) {
  const headEnd = text.indexOf('\r\n\r\n', at);
  if (headEnd < 0) return 0;
  const match = /\r\ncontent-length: *(\d+)/i.exec(text.slice(at, headEnd + 2));
  const size = headEnd + 4 - at + (match ? Number(match[1]) : 0);
  return text.length - at < size ? 0 : size;
}

/** Calls `message` with the text of each whole message that arrives on the socket. */
function onMessages(socket, message) {
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (data) => {
    text = text === '' ? data : text + data;
    let at = 0;
    for (let size; (size = messageSize(text, at)) > 0; at += size) message(text.slice(at, at + size));
    text = text.slice(at);
  });
}

/** Notes the event id of every request and answers 200. */
export class Counter {
  ids = [];
  #sockets = new Set();

  static async start() {
    const counter = new Counter();
    counter.server = net.createServer((socket) => {
      counter.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      onMessages(socket, (text) => {
        counter.ids.push(/\r\nx-pointsman-event: *([^\r]+)/i.exec(text)[1]);
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    });
    counter.server.listen(0, '127.0.0.1', 4096);
    await once(counter.server, 'listening');
    counter.url = `http://127.0.0.1:${counter.server.address().port}`;
    return counter;
  }

  /** What arrived since the last call. */
  take() {
    return this.ids.splice(0);
  }

  async stop() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/**
 * Sends the events [{id, type, body}] unsigned over `connections`, at most `depth` unanswered on each.
 * Returns how many answers had which status.
 */
export async function sendAll(address, path, events, { connections = 32, depth = 8 } = {}) {
  const [host, port] = address.split(':');
  const statuses = {};
  let next = 0;
  async function lane() {
    const socket = net.connect({ host, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    await new Promise((resolve, reject) => {
      let open = 0;
      const fill = () => {
        let bytes = '';
        while (open < depth && next < events.length) {
          const { id, type, body } = events[next++];
          bytes += `POST ${path} HTTP/1.1\r\nHost: ${address}\r\nContent-Type: application/json\r\n` +
            `X-GitHub-Event: ${type}\r\nX-GitHub-Delivery: ${id}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
          open++;
        }
        if (bytes !== '') socket.write(bytes, 'latin1');
        else if (open === 0) resolve();
      };
      onMessages(socket, (text) => {
        const status = text.slice(9, 12);
        statuses[status] = (statuses[status] ?? 0) + 1;
        open--;
        if (open <= depth / 2) fill();
      });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('pointsman closed a connection in the middle')));
      fill();
    });
    socket.removeAllListeners('close');
    socket.destroy();
  }
  await Promise.all(Array.from({ length: connections }, lane));
  return statuses;
}
