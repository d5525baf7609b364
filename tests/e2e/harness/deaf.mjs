// A backend whose port is open but that nobody can connect to: not a byte can be sent to it.

import net from 'node:net';
import { once } from 'node:events';
import { end, isAlive, start } from './children.mjs';

/** Listens with the smallest queue and never accepts. */
const LISTENER = `
  const server = require('net').createServer();
  server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
    require('fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

/** Connects, or gives up after a while: the queue is full then. */
function connects(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    const timer = setTimeout(() => {
      socket.destroy();
      resolve(null);
    }, 300);
    socket.on('error', () => {});
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

export class DeafBackend {
  #child;
  #fillers = [];

  static async start() {
    const deaf = new DeafBackend();
    deaf.#child = start(process.execPath, ['-e', LISTENER]);
    const [data] = await once(deaf.#child.stdout, 'data');
    deaf.port = Number(data.toString());
    for (let socket; (socket = await connects(deaf.port)); ) deaf.#fillers.push(socket);
    return deaf;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop() {
    for (const socket of this.#fillers) socket.destroy();
    if (isAlive(this.#child)) await end(this.#child, 'SIGKILL');
  }
}
