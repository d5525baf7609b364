// The test VFS under a running program: faults between SQLite and its files, steered from here (tests/vfs/vfs.h).

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BINARY } from './pointsman.mjs';

const HEADER = fileURLToPath(new URL('../../vfs/vfs.h', import.meta.url));
const SIZE = 4096;

/** The header's enum in its order, in lower case: {forget: 0, fail_sync: 1, …}. */
function fields() {
  const [, body] = /enum test_vfs_field \{(.*?)\}/s.exec(fs.readFileSync(HEADER, 'utf8'));
  const names = body.replace(/\/\*.*?\*\//gs, '').matchAll(/TEST_VFS_(\w+)/g);
  return Object.fromEntries([...names].map(([, name], i) => [name.toLowerCase(), i]));
}

/**
 * A control file in `dir`: {env, set(name, value), get(name), killNext(n), close()}. `env` is for the program's
 * environment; every process started with it obeys this one file.
 */
export function makeVfs(dir) {
  const lib = path.join(path.dirname(BINARY), 'tests', 'libtestvfs.so');
  if (!fs.existsSync(lib)) throw new Error(`there is no ${lib}: make e2e builds it`);
  const at = fields();
  const file = path.join(dir, 'vfs.control');
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(file, Buffer.alloc(SIZE));
  const fd = fs.openSync(file, 'r+');
  const offset = (name) => {
    if (at[name] === undefined) throw new Error(`the test VFS has no '${name}', it has: ${Object.keys(at).join(' ')}`);
    return 4 * at[name];
  };
  const set = (name, value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    fs.writeSync(fd, bytes, 0, 4, offset(name));
  };
  const get = (name) => {
    const bytes = Buffer.alloc(4);
    fs.readSync(fd, bytes, 0, 4, offset(name));
    return bytes.readInt32LE();
  };
  return {
    env: {
      LD_PRELOAD: lib,
      POINTSMAN_TEST_VFS: file,
      ASAN_OPTIONS: [process.env.ASAN_OPTIONS, 'verify_asan_link_order=0'].filter(Boolean).join(':'),
    },
    set,
    get,
    /** SIGKILL instead of the n-th change of the files from now on, after which nothing is killed. */
    killNext: (n = 1) => set('kill_at', get('writes') + get('syncs') + n),
    /** All faults off; counters stay. */
    heal: () => Object.keys(at).filter((name) => !['writes', 'syncs', 'hits', 'fields'].includes(name))
      .forEach((name) => set(name, 0)),
    close: () => fs.closeSync(fd),
  };
}
