// The program under a tool that counts: between begin() and take() lies what is counted.

import fs from 'node:fs';
import path from 'node:path';
import { run, start } from '../e2e/harness/children.mjs';
import { BINARY, Pointsman } from '../e2e/harness/pointsman.mjs';
import { readCallgrind, sumOf } from './callgrind_file.mjs';
import { LOOP, LOOP_NAME } from './judge.mjs';
import { readStrace } from './strace_file.mjs';

/**
 * Libraries choose code by what the CPU can do. Valgrind's CPU knows nothing newer than AVX2, and here none may use even
 * that, so that a machine without it counts the same.
 */
export const PLAIN_CPU = {
  OPENSSL_ia32cap: '~0x1000000000000000:0x0',
  SIMDJSON_FORCE_IMPLEMENTATION: 'westmere',
  GLIBC_TUNABLES: 'glibc.cpu.hwcaps=-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-RTM,-BMI2,-LZCNT,-MOVBE',
};

/** The lists [[name, count]] of one thread each: that of the busiest, and the sum of all others. */
function busiest(lists) {
  const sum = (list) => list.reduce((all, [, count]) => all + count, 0);
  const sorted = lists.sort((x, y) => sum(y) - sum(x));
  return { worker: sorted[0], others: sorted.slice(1).reduce((all, list) => all + sum(list), 0) };
}

/** Instructions, of functions named "object:function". */
export class CountsInstructions extends Pointsman {
  constructor(options) {
    super({ ...options, env: { ...options.env, ...PLAIN_CPU } });
  }

  launch(args, options) {
    return start('valgrind', ['--tool=callgrind', '-q', '--separate-threads=yes', '--compress-strings=no',
      '--compress-pos=no', `--vgdb-prefix=${this.#prefix}`, `--callgrind-out-file=${this.dir}/counted`,
      BINARY, ...args], options);
  }

  get #prefix() {
    return path.join(this.dir, 'vgdb');
  }

  async #dump(name) {
    const { code, stdout, stderr } = await run('callgrind_control',
      [`--vgdb-prefix=${this.#prefix}`, `--dump=${name}`, String(this.pid)]);
    if (code !== 0) throw new Error(`callgrind_control ended with ${code}: ${stdout}${stderr}`);
  }

  /** What was counted so far is written away, and counting begins anew. */
  begin() {
    return this.#dump('before');
  }

  async take() {
    await this.#dump('counted');
    const lists = [];
    for (const name of fs.readdirSync(this.dir)) {
      const file = path.join(this.dir, name);
      if (!name.startsWith('counted.')) continue;
      const text = fs.readFileSync(file, 'utf8');
      if (!text.includes('Trigger: dump counted')) continue;
      const functions = readCallgrind(text);
      const read = functions.reduce((sum, { count }) => sum + count, 0);
      if (read !== sumOf(text)) throw new Error(`${file}: functions add up to ${read}, callgrind says ${sumOf(text)}`);
      lists.push(functions.map(({ object, file: source, name, count }) =>
        [`${LOOP.test(source) ? LOOP_NAME : object}:${name}`, count]));
    }
    if (lists.length === 0) throw new Error(`callgrind wrote nothing to ${this.dir}`);
    return busiest(lists);
  }
}

/** System calls, by name. */
export class CountsCalls extends Pointsman {
  #from = 0;

  launch(args, options) {
    return start('strace', ['-D', '-f', '-qq', '-s', '0', '-e', 'signal=none', '-o', this.#file, BINARY, ...args], options);
  }

  get #file() {
    return path.join(this.dir, 'calls');
  }

  async begin() {
    this.#from = fs.statSync(this.#file).size;
  }

  async take() {
    const text = fs.readFileSync(this.#file).subarray(this.#from).toString('latin1');
    const lists = [...readStrace(text).values()].map((calls) => [...calls]);
    if (lists.length === 0) throw new Error(`strace wrote nothing to ${this.#file}`);
    return busiest(lists);
  }
}

/** Why counting is not possible here; undefined: it is. */
export async function hindrance() {
  const attempts = [
    ['valgrind', ['-q', '--tool=none', 'true'], 'instructions cannot be counted'],
    ['strace', ['-f', '-qq', '-o', '/dev/null', 'true'], 'system calls cannot be counted (is ptrace permitted?)'],
  ];
  for (const [program, args, what] of attempts) {
    const result = await run(program, args).catch((error) => ({ code: error.message, stderr: '' }));
    if (result.code !== 0) return `${what}: ${program} ${args.join(' ')}: ${result.code} ${result.stderr}`.trim();
  }
  return undefined;
}
