// How cost, latency and memory grow: with workers, connections, remembered events, dead letters, events about one issue.
//
//   growth.mjs [workers|connections|redis|embedded|dead|entities …]     QUICK=1: shorter; SAVE=1: keeps the result
//
// A saved result is what `pictures.mjs` draws docs/pictures from.

import { fileURLToPath } from 'node:url';
import { table } from '../lib/figures.mjs';
import { Failure } from '../lib/processes.mjs';
import { connections } from './connections.mjs';
import { deadLetters } from './dead_letters.mjs';
import { entities } from './entities.mjs';
import { keep } from './keep.mjs';
import { embedded, redis } from './store_size.mjs';
import { workers } from './workers.mjs';

export const PARTS = { workers, connections, redis, embedded, dead: deadLetters, entities };

/** {a: {b: 1}} → {'a.b': 1} */
function flat(object, prefix = '') {
  return Object.fromEntries(Object.entries(object).flatMap(([key, value]) =>
    value !== null && typeof value === 'object' ? Object.entries(flat(value, `${prefix}${key}.`)) : [[prefix + key, value]]));
}

function show(name, rows) {
  const columns = rows.map((row) => flat(row));
  const names = Object.keys(columns[0]);
  console.log(`\n${table([name, ...columns.map((row) => row[names[0]])], names.slice(1).map((key) => [key, ...columns.map((row) => row[key])]))}`);
}

export async function growth(names = Object.keys(PARTS)) {
  const parts = {};
  for (const name of names) {
    if (!PARTS[name]) throw new Failure(`"${name}" is no part; allowed are ${Object.keys(PARTS).join(', ')}`);
    parts[name] = await PARTS[name]();
    show(name, parts[name]);
  }
  return parts;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await keep('growth', async () => ({ parts: await growth(process.argv.length > 2 ? process.argv.slice(2) : undefined) }));
}
