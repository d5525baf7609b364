// The disks of the instances: small tmpfs where mounting is permitted, and the test VFS below SQLite.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { makeVfs } from '../../e2e/harness/vfs.mjs';
import { atExit } from './cleanup.mjs';

const TMPFS_SIZE = '128m';

export class Disks {
  #mounted = [];
  #vfs = new Map();

  /** Gives each instance its disk under dir/<name>/var; `tmpfs: false` leaves it where it is. */
  constructor({ dir, names, tmpfs = true }) {
    this.dir = dir;
    this.finish = atExit(() => this.#unmount());
    for (const name of names) {
      const where = this.#var(name);
      fs.mkdirSync(where, { recursive: true });
      this.#vfs.set(name, makeVfs(path.join(dir, name)));
      if (tmpfs && mount(where)) this.#mounted.push(name);
    }
  }

  #var(name) {
    return path.join(this.dir, name, 'var');
  }

  /** The environment an instance is started with. */
  env(name) {
    return this.#vfs.get(name).env;
  }

  /** A fault below SQLite, by its name in tests/vfs/vfs.h. */
  set(name, field, value) {
    this.#vfs.get(name).set(field, value);
  }

  /** Not one byte more fits. */
  fill(name) {
    if (!this.#mounted.includes(name)) return this.set(name, 'full', 1);
    const fd = fs.openSync(path.join(this.#var(name), 'filler'), 'w');
    for (let size = 1 << 20; size > 0; size >>= 1) {
      try {
        while (fs.writeSync(fd, Buffer.alloc(size)) === size);
      } catch (error) {
        if (error.code !== 'ENOSPC') throw error;
      }
    }
    fs.closeSync(fd);
    return undefined;
  }

  free(name) {
    if (this.#mounted.includes(name)) fs.rmSync(path.join(this.#var(name), 'filler'), { force: true });
    else this.set(name, 'full', 0);
  }

  /** Copies a disk out before it is unmounted. */
  keep(name, to) {
    fs.cpSync(this.#var(name), to, { recursive: true, filter: (file) => !file.endsWith('.sock') });
  }

  #unmount() {
    for (const name of this.#mounted.splice(0)) {
      try {
        execFileSync('umount', ['-l', this.#var(name)], { stdio: 'ignore' });
      } catch {
        // The machine's end removes it.
      }
    }
  }
}

function mount(where) {
  if (process.getuid() !== 0) return false;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${TMPFS_SIZE}`, 'tmpfs', where], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
