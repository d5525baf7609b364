// What a measurement leaves: a table for people, and JSON with the machine, the versions and the commit.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ROOT } from './stage.mjs';

function says(program, ...args) {
  return execFileSync(program, args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

export function machine() {
  return {
    machine: `${os.cpus()[0].model}, ${os.cpus().length} cores, ${(os.totalmem() / 2 ** 30).toFixed(0)} GiB`,
    kernel: os.release(),
    redis: /v=(\S+)/.exec(says('redis-server', '--version'))[1],
    commit: says('git', 'describe', '--always', '--dirty', '--exclude=*'),
    date: new Date().toISOString().slice(0, 19) + 'Z',
  };
}

/** Writes bench/results/<name>.json, and says so. What other parts of it an earlier run left stays. */
export function save(name, parts) {
  const file = path.join(ROOT, 'bench/results', `${name}.json`);
  const before = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const at = machine();
  const dated = Object.fromEntries(Object.entries(parts).map(([part, data]) => [part, { ...at, data }]));
  fs.writeFileSync(file, `${JSON.stringify({ ...before, ...dated }, null, 1)}\n`);
  console.log(`saved in ${path.relative(process.cwd(), file)}`);
}

export function load(name) {
  return JSON.parse(fs.readFileSync(path.join(ROOT, 'bench/results', `${name}.json`), 'utf8'));
}

/** 0.123 → "0.12", 12.34 → "12.3", 1234.5 → "1,235". */
export function number(value) {
  if (typeof value !== 'number') return String(value);
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: Number.isInteger(value) ? 0 : digits });
}

/** Rows of cells as aligned text, the first row being the heads; texts stand left, numbers right. */
export function table(rows) {
  const cells = rows.map((row) => row.map(number));
  const widths = cells[0].map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  const right = widths.map((_, i) => rows.slice(1).every((row) => typeof row[i] === 'number'));
  return cells.map((row) => row.map((cell, i) => (right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
    .join('  ').trimEnd()).join('\n');
}
