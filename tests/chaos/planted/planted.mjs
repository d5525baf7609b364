// Builds the program once with each planted bug and judges the schedule that must show it, with and without.

import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { start } from '../../e2e/harness/children.mjs';
import { each, within } from '../../e2e/harness/wait.mjs';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PATCHES = path.join(ROOT, 'tests/chaos/planted');
const WHERE = path.join(ROOT, 'build/planted');
const LAYERS = ['admin', 'base', 'cli', 'conf', 'proxy', 'router', 'store'];
const BUILDS_AT_ONCE = 2;
const RUNS_AT_ONCE = 3;
const LONGEST_MS = 170_000;

/** Which schedule shows which bug, and by which violation. */
const BUGS = {
  dedupe_off: { schedule: 'repeated', by: 'doubled' },
  token_not_compared: { schedule: 'lateFinish', by: 'overlapping' },
  gen_not_compared: { schedule: 'takeOver', by: 'two_owners' },
  pin_ignored: { schedule: 'pin', by: 'strayed' },
  lease_as_ttl: { schedule: 'leaseOver', by: 'doubled' },
  doubt_forgotten: { schedule: 'doubtKept', by: 'doubled' },
  doubt_put_back: { schedule: 'doubtPutBack', by: 'doubled' },
  journal_not_synced: { schedule: 'powerCut', by: 'lost' },
};

/** A program run to its end: {code, stdout, stderr}. */
async function run(program, args, options) {
  const child = start(program, args, options);
  const out = { stdout: '', stderr: '' };
  const closed = ['stdout', 'stderr'].map((name) => {
    child[name].setEncoding('utf8').on('data', (text) => (out[name] += text));
    return once(child[name], 'close');
  });
  const { code, signal } = await within(`the end of ${program} ${args.join(' ')}`, child.ended, LONGEST_MS);
  await Promise.all(closed);
  return { ...out, code: code ?? signal };
}

async function must(what, program, args, options) {
  const { code, stdout, stderr } = await run(program, args, options);
  if (code !== 0) throw new Error(`${what}:\n${`${stdout}${stderr}`.split('\n').slice(-15).join('\n')}`);
}

/** A copy of the tree with its objects, the patch on it, built: what the patch changes is compiled again. */
async function plant(name) {
  const dir = path.join(WHERE, name);
  fs.rmSync(dir, { recursive: true, force: true });
  fs.mkdirSync(path.join(dir, 'build'), { recursive: true });
  const { stdout } = await run('git', ['-C', ROOT, 'ls-files', '--cached', '--others', '--exclude-standard', '--',
    '*.c', '*.cpp', '*.h', '*.lua', 'Makefile']);
  for (const file of stdout.trim().split('\n')) {
    fs.mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    await copy(file, dir);
  }
  for (const built of fs.readdirSync(path.join(ROOT, 'build'))) {
    if (LAYERS.includes(built) || /^(lib.*\.a|pointsman)$/.test(built)) await copy(`build/${built}`, dir);
  }
  fs.mkdirSync(path.join(dir, 'build/tests'));
  await copy('build/tests/libtestvfs.so', dir);
  const patch = path.join(PATCHES, `${name}.patch`);
  await must(`${name}.patch does not apply any more; make it anew for the code of today`,
    'patch', ['-p1', '--no-backup-if-mismatch', '-F0', '-i', patch], { cwd: dir });
  await must(`the tree with ${name}.patch does not build`, 'make', ['-C', dir, 'LTO=', 'all']);
  return path.join(dir, 'build/pointsman');
}

async function copy(file, dir) {
  await must(`${file} could not be copied`, 'cp', ['-a', path.join(ROOT, file), path.join(dir, path.dirname(file))]);
}

/** The kinds of violations the schedule showed, [] for a good run. */
async function violations(binary, schedule, label) {
  const env = { ...process.env, POINTSMAN_BIN: binary };
  const args = [path.join(ROOT, 'tests/chaos/main.mjs'), '--schedule', schedule, '--label', label];
  const { code, stdout, stderr } = await run(process.execPath, args, { env });
  const found = [...stdout.matchAll(/^ {2}([a-z_]+): \d+$/gm)].map((match) => match[1]);
  if (code !== 0 && found.length === 0) throw new Error(`${schedule} could not be run:\n${stdout}${stderr}`);
  return { found, stdout };
}

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(BUGS);
const unknown = names.filter((name) => !(name in BUGS));
if (unknown.length > 0) {
  console.error(`no such bug: ${unknown.join(', ')}; there are: ${Object.keys(BUGS).join(' ')}`);
  process.exit(2);
}
/** What went wrong with one bug, [] where it was caught. */
async function trial(name) {
  const { schedule, by } = BUGS[name];
  const good = await violations(path.join(ROOT, 'build/pointsman'), schedule, `${schedule}-good`);
  const planted = await violations(binaries[name], schedule, `${schedule}-${name}`);
  const caught = planted.found.includes(by);
  console.log(`${name}: ${caught ? `caught by ${planted.found.join(', ')}` : 'NOT CAUGHT'} (schedule ${schedule})`);
  const wrong = caught ? [] : [planted.stdout];
  if (good.found.length > 0) wrong.push(`${schedule} is judged bad without the bug, too:\n${good.stdout}`);
  return wrong;
}

const binaries = {};
let bad = 0;
async function attempt(name, work) {
  const wrong = await work().catch((error) => [`${name}: ${error.message}`]);
  if (wrong.length > 0) bad++;
  for (const text of wrong) console.log(text);
}
await each(names, BUILDS_AT_ONCE, (name) => attempt(name, async () => {
  binaries[name] = await plant(name);
  return [];
}));
await each(names.filter((name) => binaries[name]), RUNS_AT_ONCE, (name) => attempt(name, () => trial(name)));
console.log(bad === 0 ? `planted: all ${names.length} bugs are caught` : `planted: ${bad} of ${names.length} went wrong`);
process.exit(bad === 0 ? 0 : 1);
