// make bench-docs: puts the newest saved figures into docs/PERFORMANCE.md, between <!-- bench: NAME --> and <!-- end -->.
//
// NAME is a part, or `verdicts`, or `machine`. All around is written by hand. `--check` only says whether it is up to date.

import { readFileSync, writeFileSync } from 'node:fs';

import { markdown, rounded } from './lib/figures.mjs';
import { newestWith } from './lib/result.mjs';
import { verdictTable } from './lib/show.mjs';
import { growth, parts as compared, soak } from './parts.mjs';

const PAGE = 'docs/PERFORMANCE.md';
const parts = [...compared, ...growth, soak];
const newest = new Map(parts.map((part) => [part.name, newestWith(part.name)]));

function source(result) {
  const disturbed = result.disturbed ? `; other programs disturbed ${result.disturbed} of its ${result.measurements} measurements` : '';
  return `<sub>${result.date}, commit ${result.commit}, ${result.machine.cpu}${disturbed}</sub>`;
}

function partText(part) {
  const result = newest.get(part.name);
  if (!result) return 'Not measured yet.';
  const tables = part
    .tables(result.parts[part.name])
    .filter(([, rows]) => rows.length)
    .map(([head, rows]) => markdown(head, rows));
  return [...tables, source(result)].join('\n\n');
}

function verdictsText() {
  const all = parts.flatMap((part) => {
    const result = newest.get(part.name);
    return result ? part.verdicts(result.parts[part.name]) : [];
  });
  return all.length ? markdown(...verdictTable(all)) : 'Not measured yet.';
}

function machineText() {
  const result = [...newest.values()].filter(Boolean).sort((a, b) => (a.at < b.at ? 1 : -1))[0];
  if (!result) return 'Not measured yet.';
  const { cpu, cores, memory_gib, kernel } = result.machine;
  const versions = Object.entries(result.versions).map(([name, version]) => `${name} ${version}`);
  const load = result.load_average.map(rounded).join(' before, ');
  return `${cpu}, ${cores} cores, ${memory_gib} GiB, Linux ${kernel}; ${versions.join(', ')}; load average ${load} after.`;
}

function textOf(name) {
  if (name === 'verdicts') return verdictsText();
  if (name === 'machine') return machineText();
  const part = parts.find((one) => one.name === name);
  if (!part) throw new Error(`${PAGE}: <!-- bench: ${name} --> is no part; there are: ${[...newest.keys()].join(', ')}`);
  return partText(part);
}

const page = readFileSync(PAGE, 'utf8');
const made = page.replace(
  /(<!-- bench: (\w+) -->\n)[^]*?(<!-- end -->)/g,
  (_, begin, name, end) => `${begin}${textOf(name)}\n${end}`,
);
if (process.argv.includes('--check')) {
  if (made !== page) {
    console.error(`${PAGE} is not what make bench-docs makes of bench/results`);
    process.exitCode = 1;
  }
} else {
  writeFileSync(PAGE, made);
}
