// make bench, bench-growth ("growth" as argument): runs the parts, prints their tables and what they say of the budgets.
//
//   ONLY="full durable"   some of the parts
//   QUICK=1               shorter: all of them in under two minutes
//   SAVE=1                keeps the result in bench/results, from which make bench-docs writes docs/PERFORMANCE.md

import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';

import { loadAverage } from './lib/cpu.mjs';
import { table, text } from './lib/figures.mjs';
import { Failure, stopAll } from './lib/processes.mjs';
import { commit, machine, save, versions } from './lib/result.mjs';
import { verdictTable } from './lib/show.mjs';
import { growth, parts } from './parts.mjs';

const quick = Boolean(process.env.QUICK);

const asked = () => process.env.ONLY?.split(/[\s,]+/).filter(Boolean) ?? [];

function chosen() {
  const list = process.argv[2] === 'growth' ? growth : parts;
  const unknown = asked().find((name) => !list.some((part) => part.name === name));
  if (unknown)
    throw new Failure(`ONLY holds "${unknown}"; allowed: ${list.map((part) => part.name).join(', ')}`);
  return asked().length ? list.filter((part) => asked().includes(part.name)) : list;
}

function build() {
  if (cpus().length < 2) throw new Failure('two cores are needed, to keep the load off the proxy\'s');
  execFileSync('scripts/install-deps', ['--bench'], { stdio: ['ignore', 'inherit', 'inherit'] });
  const targets = ['all', 'build/bench/load', 'build/bench/backend', 'build/bench/disk', 'build/bench/store'];
  execFileSync('make', ['--no-print-directory', '-s', `-j${cpus().length}`, ...targets], { stdio: 'inherit' });
}

/** Every measurement notes `others`: how much of a core was taken by programs that are none of ours. */
function disturbance(node) {
  if (!node || typeof node !== 'object') return [];
  const here = [node.others ?? []].flat();
  return here.concat(...Object.entries(node).map(([key, value]) => (key === 'others' ? [] : disturbance(value))));
}

function print(part, data) {
  console.log(`\n${part.title} (${data.took_s} s)\n`);
  for (const [head, rows] of part.tables(data)) if (rows.length) console.log(`${table(head, rows)}\n`);
}

async function main() {
  const list = chosen();
  build();
  const before = loadAverage();
  const result = { at: new Date().toISOString(), commit: commit(), quick, machine: machine(), versions: versions() };
  result.date = result.at.slice(0, 10);
  result.parts = {};
  const [verdicts, failed] = [[], []];
  for (const part of list) {
    const from = Date.now();
    try {
      const data = await part.run({ quick, say: (what) => console.error(`${part.name}: ${what}`) });
      result.parts[part.name] = { took_s: Math.round((Date.now() - from) / 1000), ...data };
      print(part, result.parts[part.name]);
      verdicts.push(...part.verdicts(data));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      failed.push(`${part.name}: ${error.message}`);
      console.error(`FAILED ${failed.at(-1)}`);
    }
    await stopAll();
  }
  result.verdicts = verdicts;
  const others = disturbance(result.parts);
  result.measurements = others.length;
  result.disturbed = others.filter((share) => share > 0.1).length;
  result.load_average = [before, loadAverage()];
  if (verdicts.length) console.log(`${table(...verdictTable(verdicts))}\n`);
  console.log(`load average ${result.load_average.map(text).join(' before, ')} after`);
  if (result.disturbed)
    console.log(
      `in ${result.disturbed} of ${result.measurements} measurements other programs took more than 10 % of a core: ` +
        'do not rely on them',
    );
  if (process.env.SAVE && Object.keys(result.parts).length) console.log(`saved in ${save(result, [...process.argv.slice(2), ...asked()].join('-'))}`);
  if (failed.length) throw new Failure(`failed, and not in the result:\n${failed.join('\n')}`);
}

main()
  .catch(async (error) => {
    console.error(error instanceof Failure ? `bench: ${error.message}` : error);
    process.exitCode = 1;
  })
  .finally(stopAll);
