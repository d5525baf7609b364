// The driver's hold on the relays between the instances and Redis, one for each instance.

import { fileURLToPath } from 'node:url';
import { end, isAlive, start } from '../../e2e/harness/children.mjs';
import { within } from '../../e2e/harness/wait.mjs';

const PROGRAM = fileURLToPath(new URL('./link_process.mjs', import.meta.url));
const FIRST_PORT = 18111;

export class Links {
  #child;
  #open = new Map();
  #serial = 0;

  /** `names` of instances; each gets a relay on `address` to {host, port} of Redis. */
  constructor({ address, names, to }) {
    this.links = names.map((name, i) => ({
      name, host: address, port: FIRST_PORT + i, toHost: to.host, toPort: to.port,
    }));
  }

  url(name) {
    const { host, port } = this.links.find((link) => link.name === name);
    return `redis://${host}:${port}/0`;
  }

  async start() {
    const child = start(process.execPath, [PROGRAM, JSON.stringify(this.links)],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child = child;
    const ready = new Promise((resolve, reject) => {
      child.on('message', (message) => {
        if (message.ready) return resolve();
        this.#open.get(message.id)?.();
        this.#open.delete(message.id);
      });
      child.ended.then(() => reject(new Error('the relay process ended')), reject);
    });
    await within('the relays are ready', ready);
  }

  /** open | hold | deaf | cut, see link_process.mjs. */
  set(name, state) {
    const id = ++this.#serial;
    const done = new Promise((resolve) => this.#open.set(id, resolve));
    this.#child.send({ id, name, state });
    return within(`the link of ${name} is ${state}`, done);
  }

  async finish() {
    if (this.#child && isAlive(this.#child)) await end(this.#child, 'SIGTERM');
  }
}
