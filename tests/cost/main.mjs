// The command: measures all cases, judges them by figures.json or records new figures.

import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { run } from '../e2e/harness/children.mjs';
import { each } from '../e2e/harness/wait.mjs';
import { CASES, measure } from './cases.mjs';
import { judge, KINDS, sums } from './judge.mjs';
import { CountsCalls, CountsInstructions, hindrance } from './meters.mjs';

const FIGURES = new URL('figures.json', import.meta.url);
const PROFILE = new URL('profile.json', import.meta.url);
/** Cases at once; counts do not care who else is running. */
const JOBS = 2;
/** Measurements of a case that its figures come from. */
const RECORDED = 3;
/** What is no line of the profile: instructions per event. */
const FLOOR = { instructions: 50, calls: 0, batched: 0 };
const PACKAGES = ['gcc', 'libc6', 'libssl3', 'libevent-core-2.1-7', 'libhiredis0.14', 'libsimdjson14', 'libxxhash0'];

const { values } = parseArgs({ options: { update: { type: 'boolean' } } });

const METERS = { instructions: CountsInstructions, calls: CountsCalls, batched: CountsCalls };
const PLAN = Object.entries(CASES).flatMap(([name, { kinds }]) => kinds.map((kind) => ({ name, kind })));

/** Figures hold for this: another compiler, library or processor counts differently. */
async function madeWith() {
  const { stdout } = await run('dpkg-query', ['-W', '-f', '${Package} ${Version}\n', ...PACKAGES]);
  const versions = Object.fromEntries(stdout.trim().split('\n').map((line) => line.split(' ')));
  return { processor: process.arch, ...versions };
}

function read(file) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
}

/** Costs per event of the worker's thread; batched: of all threads. */
async function costs({ name, kind }) {
  const { worker, others } = await measure(name, METERS[kind]);
  const { events } = CASES[name];
  const found = Object.fromEntries(worker.map(([what, count]) => [what, count / events]));
  return kind === 'batched' ? { ...found, 'other threads': others / events } : found;
}

/** A disturbance only adds instructions, but calls come together or apart by chance: the least, and the median. */
function typical(kind, list) {
  const names = new Set(list.flatMap((one) => Object.keys(one)));
  const at = kind === 'instructions' ? 0 : Math.floor(list.length / 2);
  const pick = (name) => list.map((one) => one[name] ?? 0).sort((x, y) => x - y)[at];
  return Object.fromEntries([...names].map((name) => [name, pick(name)]));
}

/** Worst first, rounded, without what is below the floor. */
function tidy(kind, numbers, floor = 0) {
  const digits = kind === 'instructions' ? 1 : 100;
  const rounded = Object.entries(numbers).map(([name, number]) => [name, Math.round(number * digits) / digits]);
  return Object.fromEntries(rounded.filter(([, number]) => number > floor).sort(([, x], [, y]) => y - x));
}

function write(file, content) {
  fs.writeFileSync(file, `${JSON.stringify(content, null, 1)}\n`);
}

async function update() {
  const figures = { made_with: await madeWith() };
  const profile = {};
  for (const kind of KINDS) [figures[kind], profile[kind]] = [{}, {}];
  const measured = await each(PLAN, JOBS, async (one) => {
    const list = [];
    for (let i = 0; i < RECORDED; i++) list.push(await costs(one));
    return list;
  });
  PLAN.forEach(({ name, kind }, i) => {
    figures[kind][name] = tidy(kind, typical(kind, measured[i].map((one) => sums(kind, one))));
    profile[kind][name] = tidy(kind, typical(kind, measured[i]), FLOOR[kind]);
  });
  write(FIGURES, figures);
  write(PROFILE, profile);
  console.log('cost: figures recorded in tests/cost/figures.json and tests/cost/profile.json: commit both, and say what they buy');
}

/** A case that is not well is measured once more: a disturbance passes, a change of the program does not. */
async function check(figures, profile, one) {
  const { name, kind } = one;
  const its = { name, kind, figures: figures[kind]?.[name], profile: profile[kind]?.[name], floor: FLOOR[kind] };
  let found = await costs(one);
  let lines = judge({ ...its, costs: found });
  if (lines.length > 0) {
    found = await costs(one);
    lines = judge({ ...its, costs: found });
  }
  const total = Object.values(found).reduce((sum, count) => sum + count, 0);
  const ours = kind === 'instructions' ? `, ${Math.round(sums(kind, found).pointsman)} of them in pointsman` : '';
  const text = kind === 'instructions' ? `${Math.round(total)} instructions` : `${total.toFixed(2)} system calls`;
  console.log(`${lines.length > 0 ? 'FAILED' : 'ok'} ${name}: ${text} per event${ours}`);
  return lines;
}

async function judged() {
  const figures = read(FIGURES);
  const now = await madeWith();
  if (figures.made_with?.processor !== now.processor) {
    console.error(`cost: the figures are of ${figures.made_with?.processor}, this is ${now.processor}`);
    return 1;
  }
  const results = await each(PLAN, JOBS, (one) => check(figures, read(PROFILE), one));
  const lines = results.flat();
  if (lines.length === 0) return 0;
  console.error(`\ncost: an event does not cost what tests/cost/figures.json says\n\n${lines.join('\n')}\n`);
  for (const [name, version] of Object.entries(now))
    if (figures.made_with[name] !== version) console.error(`  the figures were made with ${name} ${figures.made_with[name]}, here it is ${version}`);
  console.error('If it costs more, find out why; the lists above say where. If it is meant, or it costs less (a figure too high hides'
    + '\nthe next loss): make cost UPDATE=1, look at the change of figures.json, commit it and say what it buys.');
  return 1;
}

async function main() {
  const why = await hindrance();
  if (why) throw new Error(why);
  if (!values.update) return judged();
  await update();
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`cost: ${error.message}`);
  process.exitCode = 1;
}
process.exit();
