// A network namespace for Redis, where that is permitted: cut off as by a pulled cable, without a word to anybody.

import { execFileSync } from 'node:child_process';
import { atExit } from './cleanup.mjs';

function ip(...args) {
  return execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

export class Namespace {
  #name;

  /** A namespace with one cable to it, or undefined where that is not permitted. */
  static open() {
    if (process.getuid() !== 0) return undefined;
    const made = new Namespace();
    made.close = atExit(() => made.#delete());
    try {
      made.#make();
      return made;
    } catch {
      made.close();
      return undefined;
    }
  }

  #make() {
    const tag = `${process.pid % 100_000}${Math.floor(Math.random() * 100)}`;
    const net = [198, 18 + Math.floor(Math.random() * 2), Math.floor(Math.random() * 256), 4 * Math.floor(Math.random() * 64)];
    const at = (host) => [...net.slice(0, 3), net[3] + host].join('.');
    this.#name = `pmchaos${tag}`;
    this.here = `pmh${tag}`;
    this.there = `pmr${tag}`;
    this.address = at(2);
    ip('netns', 'add', this.#name);
    ip('link', 'add', this.here, 'type', 'veth', 'peer', 'name', this.there, 'netns', this.#name);
    ip('addr', 'add', `${at(1)}/30`, 'dev', this.here);
    ip('link', 'set', this.here, 'up');
    ip('-n', this.#name, 'addr', 'add', `${this.address}/30`, 'dev', this.there);
    ip('-n', this.#name, 'link', 'set', this.there, 'up');
    ip('-n', this.#name, 'link', 'set', 'lo', 'up');
  }

  /** Words before a command that is to run inside. */
  get inside() {
    return ['ip', 'netns', 'exec', this.#name];
  }

  cut() {
    ip('-n', this.#name, 'link', 'set', this.there, 'down');
  }

  mend() {
    ip('-n', this.#name, 'link', 'set', this.there, 'up');
  }

  #delete() {
    try {
      if (this.#name) ip('netns', 'del', this.#name);
    } catch {
      // It was never made.
    }
  }
}
