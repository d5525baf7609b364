// The disks of the instances: small tmpfs where mounting is permitted, and the test VFS where it was built.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { atExit } from './cleanup.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const VFS = path.resolve(ROOT, process.env.CHAOS_VFS ?? 'build/tests/libtestvfs.so');
/** Fields of the control page by their place in tests/vfs/vfs.h. */
const FIELDS = { forget: 0, sync_fails: 1, full: 2, sync_slow: 3 };
const PAGE_BYTES = 4096;
const TMPFS_SIZE = '96m';

export class Disks {
  #mounted = [];
  #vfs = new Map();

  /** Gives each instance its disk under dir/<name>/var; `tmpfs: false` leaves it where it is. */
  constructor({ dir, names, tmpfs = true }) {
    this.dir = dir;
    this.hasVfs = fs.existsSync(VFS);
    this.finish = atExit(() => this.#unmount());
    for (const name of names) {
      const where = this.#var(name);
      fs.mkdirSync(where, { recursive: true });
      if (this.hasVfs) {
        const control = path.join(dir, name, 'vfs');
        fs.writeFileSync(control, Buffer.alloc(PAGE_BYTES));
        this.#vfs.set(name, control);
      }
      if (tmpfs && mount(where)) this.#mounted.push(name);
    }
  }

  #var(name) {
    return path.join(this.dir, name, 'var');
  }

  /** What an instance is started with: {preload, env}. */
  start(name) {
    if (!this.hasVfs) return { preload: [], env: {} };
    return { preload: [VFS], env: { POINTSMAN_TEST_VFS: this.#vfs.get(name) } };
  }

  /** Instances whose disk can be full: by a file that fills it, or by the VFS. */
  fillable() {
    return [...new Set([...this.#mounted, ...this.#vfs.keys()])];
  }

  faulty() {
    return [...this.#vfs.keys()];
  }

  set(name, field, value = -1) {
    const fd = fs.openSync(this.#vfs.get(name), 'r+');
    const word = Buffer.alloc(4);
    if (field === undefined) {
      for (const at of [FIELDS.sync_fails, FIELDS.sync_slow, FIELDS.full]) fs.writeSync(fd, word, 0, 4, at * 4);
    } else {
      word.writeInt32LE(value);
      fs.writeSync(fd, word, 0, 4, FIELDS[field] * 4);
    }
    fs.closeSync(fd);
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
    else this.set(name, undefined);
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
