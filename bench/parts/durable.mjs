// Answered from the disk: 202 after the journal's fsync, beside nginx + Lua that gives the payload to a Redis whose
// append-only file is synced before it answers. Nothing is pinned: journal, store and worker are threads of their own.
// One after the other in rounds, medians: disks change their mood more than processors. Ids are like GitHub's, in order of
// time; random ones dirty a page of the index for each event.

import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';

import { writtenBytes } from '../lib/cpu.mjs';
import { median, numbers } from '../lib/figures.mjs';
import { freePorts, ledgerOf, prove, runLoad, startLedger } from '../lib/load.mjs';
import { ALL_CORES, newFolder, stop, waitFor } from '../lib/processes.mjs';
import { startNginxLuaAccept, startPointsman, startRedis } from '../lib/servers.mjs';
import { spread, verdict } from '../lib/show.mjs';

export const name = 'durable';
export const title = 'Accepted: answered from the disk';

export const DISK = 'build/bench';

/** What one run leaves would fill the kernel's memory, and the next would pay for making room. */
const drop = (folder) => rmSync(folder, { recursive: true });
const cores = ALL_CORES;

/** Writes and their fdatasync in a row, without SQLite above them. */
export const diskSpeed = (folder) => numbers(execFileSync('build/bench/disk', [folder, '1'], { encoding: 'utf8' }));

const rows = async (pointsman, state) => pointsman.metric(`pointsman_queue_events{state="${state}"}`);
export const pending = async (pointsman) => (await rows(pointsman, 'queued')) + (await rows(pointsman, 'sending'));

export const drained = (pointsman, seconds = 300) =>
  waitFor('the end of what is on disk', pointsman.process, async () => (await pending(pointsman)) === 0, seconds);

const summary = (report) => ({
  accepted_s: report.sent / report.seconds,
  p50_us: report.latency_us.p50,
  p99_us: report.latency_us.p99,
  p999_us: report.latency_us.p999,
  others: report.others_us / report.seconds / 1e6,
});

async function ours(store, connections, seconds, scatteredIds = false) {
  const folder = newFolder(DISK);
  const [legacy, fresh] = freePorts(2);
  const ledger = await startLedger({ legacy, fresh, percentage: 25, cores });
  const redis = store === 'redis' ? await startRedis({ cores }) : null;
  const pointsman = await startPointsman(ledger, { cores, folder, redis });
  await pointsman.settle();
  await drained(pointsman);
  const commits = () => pointsman.metric('pointsman_journal_commits_total');
  const [commitsBefore, writtenBefore] = [await commits(), writtenBytes(pointsman.pid)];
  const load = { path: '/webhooks/accepted', connections, scatteredIds, warmUp: 500, seconds, cores };
  const cpu = { ...pointsman.cpu, ledger: ledger.pid, ...(redis && { redis: redis.pid }) };
  const report = await runLoad(pointsman.port, { ...load, cpu });
  await drained(pointsman);
  await prove(legacy, report, { judged: true });
  const events = report.total.events;
  const delivered = await ledgerOf(legacy, report);
  const data = {
    ...{ subject: `pointsman, ${store}${scatteredIds ? ', random ids' : ''}`, connections, ...summary(report) },
    delivered_s: events / (delivered.us / 1e6),
    cpu_us: report.cpu_us.proxy / report.sent,
    commits: ((await commits()) - commitsBefore) / events,
    written_kib: (writtenBytes(pointsman.pid) - writtenBefore) / 1024 / events,
  };
  await pointsman.stop();
  await Promise.all([redis?.stop(), stop(ledger.process)]);
  drop(folder);
  return data;
}

async function theirs(connections, seconds) {
  const folder = newFolder(DISK);
  const redis = await startRedis({ cores, durable: true, folder });
  const nginx = await startNginxLuaAccept(redis, { cores });
  const writtenBefore = writtenBytes(redis.pid);
  const load = { path: '/webhooks/accepted', connections, warmUp: 500, seconds, cores };
  const report = await runLoad(nginx.port, { ...load, cpu: { ...nginx.cpu, redis: redis.pid } });
  const data = {
    ...{ subject: 'nginx + Lua, Redis AOF', connections, ...summary(report) },
    cpu_us: (report.cpu_us.proxy + report.cpu_us.redis) / report.sent,
    written_kib: (writtenBytes(redis.pid) - writtenBefore) / 1024 / report.total.events,
  };
  await nginx.stop();
  await redis.stop();
  drop(folder);
  return data;
}

/** Medians of what is a number, and the range of what was accepted. */
function summed(rounds) {
  const middle = (key) => (typeof rounds[0][key] === 'number' ? median(rounds.map((one) => one[key])) : rounds[0][key]);
  const accepted = rounds.map((one) => one.accepted_s);
  return {
    ...Object.fromEntries(Object.keys(rounds[0]).map((key) => [key, middle(key)])),
    accepted_s_range: [Math.min(...accepted), Math.max(...accepted)],
  };
}

export async function run({ quick, say }) {
  const [count, seconds] = quick ? [1, 1] : [3, 3];
  const disk = diskSpeed(newFolder(DISK));
  const cases = (quick ? [64] : [64, 256]).flatMap((connections) => [
    () => ours('embedded', connections, seconds),
    () => ours('redis', connections, seconds),
    ...(quick ? [] : [() => ours('redis', connections, seconds, true)]),
    () => theirs(connections, seconds),
  ]);
  const found = cases.map(() => []);
  for (let round = 1; round <= count; round++) {
    say(`round ${round} of ${count}`);
    for (const [i, one] of cases.entries()) found[i].push(await one());
  }
  return { rounds: count, seconds, disk, runs: found.map(summed) };
}

export const tables = ({ disk, runs }) => [
  [
    ['the disk by itself, write and fdatasync', 'a second'],
    [
      ['4 KiB', disk.syncs_4k],
      [`1 MiB (${disk.mb_s} MB/s)`, disk.syncs_1m],
    ],
  ],
  [
    ['', 'connections', 'accepted/s', 'rounds', 'p50 ms', 'p99 ms', 'delivered/s', 'CPU µs/event', 'commits/event', 'KiB written'],
    runs.map((r) => [
      ...[r.subject, r.connections, Math.round(r.accepted_s), spread(r.accepted_s_range), r.p50_us / 1000, r.p99_us / 1000],
      ...[r.delivered_s && Math.round(r.delivered_s), r.cpu_us, r.commits, r.written_kib],
    ]),
  ],
];

export function verdicts({ runs }) {
  const best = Math.max(...runs.filter((r) => r.subject.startsWith('pointsman')).map((r) => r.accepted_s));
  return [verdict('durable accept, events a second', Math.round(best), 15000, 40000, { least: true })];
}
