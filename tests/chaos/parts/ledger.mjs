// The driver's hold on the ledger process: start, commands, kill -9, SIGSTOP, reading the ledger.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { end, isAlive, start } from '../../e2e/harness/children.mjs';
import { within } from '../../e2e/harness/wait.mjs';
import { now } from './clock.mjs';

const PROGRAM = fileURLToPath(new URL('./ledger_process.mjs', import.meta.url));
export const PORTS = { legacy: 18101, new: 18102 };

export class Ledger {
  #child;
  #open = new Map();
  #serial = 0;
  #behaviours = new Map();

  constructor({ dir, address, seed }) {
    this.file = path.join(dir, 'ledger.jsonl');
    this.address = address;
    this.seed = seed;
    this.ends = [];
  }

  url(side) {
    return `http://${this.address}:${PORTS[side]}`;
  }

  async start() {
    const args = [PROGRAM, this.file, this.address, PORTS.legacy, PORTS.new, this.seed].map(String);
    const child = start(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child = child;
    const ready = new Promise((resolve, reject) => {
      child.on('message', (message) => {
        if (message.ready) return resolve();
        const waiting = this.#open.get(message.id);
        this.#open.delete(message.id);
        if (message.error) waiting?.reject(new Error(message.error));
        else waiting?.resolve();
      });
      child.ended.then(() => reject(new Error('the ledger process ended')), reject);
    });
    child.ended.then(() => {
      for (const { resolve } of this.#open.values()) resolve();
      this.#open.clear();
    });
    await within('the ledger process is ready', ready);
    for (const [key, behaviour] of this.#behaviours) await this.behave(...key.split(' '), behaviour);
  }

  /** Calls a method of the backend of that side. A process that is not there has nothing to be told. */
  tell(side, call, ...args) {
    if (!isAlive(this.#child)) return undefined;
    const id = ++this.#serial;
    const work = new Promise((resolve, reject) => this.#open.set(id, { resolve, reject }));
    this.#child.send({ id, side, call, args });
    return within(`the ledger does ${call}`, work, 60_000);
  }

  /** A behaviour under a name; undefined ends it. It outlives a kill. */
  behave(side, name, behaviour) {
    if (behaviour) this.#behaviours.set(`${side} ${name}`, behaviour);
    else this.#behaviours.delete(`${side} ${name}`);
    return this.tell(side, 'behave', name, behaviour);
  }

  /** Both backends die at once. What was open is over from now on. */
  async kill9() {
    this.ends.push(now());
    await end(this.#child, 'SIGKILL');
  }

  stop() {
    this.#child.kill('SIGSTOP');
  }

  resume() {
    this.#child.kill('SIGCONT');
  }

  async finish() {
    if (!this.#child || !isAlive(this.#child)) return;
    this.#child.kill('SIGCONT');
    await end(this.#child, 'SIGTERM');
  }

  /** All lines so far; the last may be cut. Open attempts of a killed process end with it. */
  read() {
    const text = fs.existsSync(this.file) ? fs.readFileSync(this.file, 'utf8') : '';
    const lines = [];
    for (const line of text.split('\n')) {
      try {
        if (line !== '') lines.push(JSON.parse(line));
      } catch {
        // The process was killed while it wrote this line.
      }
    }
    return closeKilled(lines, this.ends);
  }
}

function closeKilled(lines, ends) {
  const out = [];
  const open = new Map();
  let boots = 0;
  for (const line of lines) {
    if (line.k === 'boot' && boots++ > 0) {
      for (const n of open.keys()) out.push({ t: ends[boots - 2], k: 'closed', n, by: 'killed' });
      open.clear();
    }
    if (line.k === 'received') open.set(line.n, line);
    if (line.k === 'answered' || line.k === 'closed') open.delete(line.n);
    out.push(line);
  }
  return out;
}
