// The command: runs with fixed or new seeds, prints what each showed, keeps what a failing one left.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { each } from '../e2e/harness/wait.mjs';
import { drive, randomScript } from './drive.mjs';
import { FAULTS } from './faults.mjs';
import { describe } from './report.mjs';
import { plan } from './plan.mjs';
import { SCHEDULES } from './schedules/index.mjs';
import { SUITE } from './suite.mjs';
import { Rng } from './parts/rng.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const KEPT = path.join(ROOT, 'build/chaos');
const LENGTH_S = 24;
/** Runs of the suite at once: most of a run is waiting. */
const SUITE_JOBS = 2;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seconds: { type: 'string' },
    length: { type: 'string' },
    faults: { type: 'string' },
    set: { type: 'string' },
    suite: { type: 'boolean' },
    schedule: { type: 'string' },
    label: { type: 'string' },
    keep: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

const USAGE = `usage: tests/chaos/run [--suite | --seed N | --seconds S | --schedule NAME] [--length S] [--faults a,b] [--set JSON] [--keep]
  --suite      the fixed seeds of make test
  --seed N     one run
  --seconds S  runs with new seeds for so long
  --schedule N a directed schedule: ${Object.keys(SCHEDULES).join(' ')}
  --length S   seconds of faults in one run (${LENGTH_S})
  --faults     only these: ${Object.keys(FAULTS).join(' ')}
  --set        settings laid over the run's, e.g. '{"whenDown":"local"}'
  --keep       keeps what a good run left, too`;

function command({ seed, length, only, run }) {
  const words = ['tests/chaos/run', '--seed', seed, '--length', length];
  if (only) words.push('--faults', only.join(','));
  if (Object.keys(run).length > 0) words.push('--set', `'${JSON.stringify(run)}'`);
  return words.join(' ');
}

/** Runs one script, prints what it showed, keeps what a bad one left. */
async function judged({ name, seed, run, script, again }) {
  const dir = path.join(KEPT, String(name));
  fs.rmSync(dir, { recursive: true, force: true });
  const repeat = `  again alone: ${again}\n  kept: ${path.relative(ROOT, dir)}`;
  let outcome;
  try {
    outcome = await drive({ seed, run, script, keep: (verdict) => (verdict?.ok && !values.keep ? undefined : dir) });
  } catch (error) {
    console.log(`${name}: could not be run to its end: ${error.stack}\n${repeat}`);
    return false;
  }
  const { verdict, record } = outcome;
  console.log(describe(record, verdict, run));
  if (!verdict.ok || values.keep) {
    fs.writeFileSync(path.join(dir, 'record.json'), JSON.stringify(record));
    fs.writeFileSync(path.join(dir, 'verdict.json'), JSON.stringify(verdict, null, 1));
    console.log(repeat);
  }
  return verdict.ok;
}

function random(options) {
  const { seed, length, only } = options;
  const { singles, run: fixed } = SUITE[seed] ?? {};
  const wanted = { seed, seconds: Number(length), only, singles, run: { ...fixed, ...options.run } };
  // The settings come from the seed, before there is a world that could name targets.
  const settings = plan({ ...wanted, targets: () => ['any'] }).run;
  return judged({ name: seed, seed, run: settings, script: randomScript(wanted), again: command(options) });
}

function directed(name) {
  const { run, script } = SCHEDULES[name];
  return judged({ name: values.label ?? name, seed: name, run, script, again: `tests/chaos/run --schedule ${name}` });
}

async function main() {
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const only = values.faults?.split(',');
  const unknown = only?.filter((name) => !(name in FAULTS)) ?? [];
  if (unknown.length > 0) {
    console.error(`no such fault: ${unknown.join(', ')}; there are: ${Object.keys(FAULTS).join(' ')}`);
    return 2;
  }
  const run = values.set ? JSON.parse(values.set) : {};
  const length = values.length ?? String(LENGTH_S);
  const bad = [];
  const go = async (options) => {
    if (!(await random({ length, only, run, ...options }))) bad.push(options.seed);
  };
  if (values.schedule) {
    if (!(values.schedule in SCHEDULES)) {
      console.error(`no such schedule: ${values.schedule}; there are: ${Object.keys(SCHEDULES).join(' ')}`);
      return 2;
    }
    if (!(await directed(values.schedule))) bad.push(values.schedule);
  } else if (values.suite) {
    await each(Object.keys(SUITE), SUITE_JOBS, (seed) => go({ seed }));
  } else if (values.seconds) {
    const end = Date.now() + Number(values.seconds) * 1000;
    const first = values.seed ?? String(Date.now() % 1_000_000_007);
    const seeds = new Rng(first);
    for (let seed = first; Date.now() < end; seed = String(seeds.int(1, 2 ** 31 - 1))) await go({ seed });
  } else {
    await go({ seed: values.seed ?? String(Date.now() % 1_000_000_007) });
  }
  console.log(bad.length === 0 ? 'chaos: all runs kept the promises' : `chaos: broken promises with seeds ${bad.join(' ')}`);
  return bad.length === 0 ? 0 : 1;
}

process.exit(await main());
