// What claim and finish of an event need in Redis that no clock measures; CPU time is `make bench ONLY=redis`.
//
//   node bench/store.mjs instructions   in Redis and in the client, by callgrind, alike on every machine; EVENTS=4000
//   node bench/store.mjs memory         bytes that Redis keeps for each remembered event, and one of them; EVENTS=1000000
//   REDIS=path                          another redis-server; KEEP=folder keeps callgrind's profiles

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { claimAndFinish, ENTITIES } from './lib/claims.mjs';
import { table } from './lib/figures.mjs';
import { Failure, newFolder, PROXY_CORE, scratch, stopAll } from './lib/processes.mjs';
import { startRedis } from './lib/servers.mjs';

const DEPTHS = [1, 16, 64];
const program = process.env.REDIS;
const folder = process.env.KEEP ?? newFolder(scratch);
const events = (usual) => Number(process.env.EVENTS ?? usual);
const said = (command, ...args) => execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

const callgrind = (file) => ['valgrind', '-q', '--tool=callgrind', `--callgrind-out-file=${file}`];
const collected = (file) => Number(readFileSync(file, 'utf8').match(/^(?:totals|summary): (\d+)/m)[1]);

/** Of the client; its start and its greeting are in it. */
async function ownInstructions(redis, options) {
  const file = join(folder, `own.${options.depth}.${options.events}`);
  await claimAndFinish(redis, options, callgrind(file));
  return collected(file);
}

/** Of Redis since the last one: it numbers its dumps. */
function redisInstructions(redis, depth) {
  said('callgrind_control', '-d', String(redis.pid));
  const dumps = readdirSync(folder).filter((file) => file.startsWith('dump.'));
  const number = (file) => Number(file.slice('dump.'.length));
  const newest = dumps.sort((a, b) => number(a) - number(b)).at(-1);
  const file = join(folder, `redis.${depth}`);
  renameSync(join(folder, newest), file);
  return collected(file);
}

async function instructions() {
  const count = events(4000);
  const redis = await startRedis({ cores: PROXY_CORE, program, before: callgrind(join(folder, 'dump')) });
  await claimAndFinish(redis, { events: ENTITIES });
  const rows = [];
  for (const depth of DEPTHS) {
    said('callgrind_control', '-z', String(redis.pid));
    await claimAndFinish(redis, { events: count, depth });
    const ofRedis = redisInstructions(redis, depth);
    const own = (await ownInstructions(redis, { events: count, depth })) - (await ownInstructions(redis, { events: 0, depth }));
    rows.push([depth, Math.round(ofRedis / count), Math.round(own / count)]);
  }
  console.log(table(['at a time', 'instructions in Redis', 'in the client'], rows));
}

const ONE = `local key = redis.call("RANDOMKEY")
while not key:find("ev:") do key = redis.call("RANDOMKEY") end
return {key, redis.call("GET", key), redis.call("MEMORY", "USAGE", key) .. " bytes"}`;

async function memory() {
  const count = events(1_000_000);
  const redis = await startRedis({ cores: PROXY_CORE, program });
  const ask = (...words) => said('redis-cli', '-p', String(redis.port), '--raw', ...words);
  const used = () => Number(ask('info', 'memory').match(/^used_memory:(\d+)/m)[1]);
  await claimAndFinish(redis, { events: ENTITIES });
  const before = used();
  await claimAndFinish(redis, { events: count });
  console.log(table(['remembered events', 'bytes each'], [[count, Math.round((used() - before) / count)]]));
  console.log(ask('eval', ONE, '0').replaceAll('\0', '|'));
}

async function main() {
  const counts = { instructions, memory };
  const what = process.argv[2];
  if (process.argv.length !== 3 || !Object.hasOwn(counts, what))
    throw new Failure(`"${process.argv.slice(2).join(' ')}" can not be counted; allowed: ${Object.keys(counts).join(', ')}`);
  execFileSync('make', ['--no-print-directory', '-s', 'build/bench/store', 'build/bench/load'], { stdio: 'inherit' });
  await counts[what]();
}

main()
  .catch((error) => {
    console.error(error instanceof Failure ? `bench: ${error.message}` : error);
    process.exitCode = 1;
  })
  .finally(stopAll);
