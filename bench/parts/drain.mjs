// A backlog is drained beside live traffic: legacy was down, events wait on disk, it comes back.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { residentKb, residentPeakKb } from '../lib/cpu.mjs';
import { freePorts, prove, runLoad, startLedger, startLoad } from '../lib/load.mjs';
import { ALL_CORES, Failure, newFolder, pause, stop, waitFor } from '../lib/processes.mjs';
import { startPointsman } from '../lib/servers.mjs';
import { DISK, drained, pending } from './durable.mjs';

export const name = 'drain';
export const title = 'A backlog beside live traffic';

const LIVE = 500; // events a second
const cores = ALL_CORES;
const BREAKER = 'pointsman_breaker_state{backend="legacy",state="closed"}';

const journalMb = (folder) =>
  Number(execFileSync('sh', ['-c', 'du -cm "$1"/journal.db* | tail -n 1', 'sh', join(folder, 'var')]).toString().split('\t')[0]);

const latency = ({ latency_us: { p50, p99, p999 } }) => ({ p50_us: p50, p99_us: p99, p999_us: p999 });

/** Live traffic goes on until 1 % is left: the last ones may stand on the ladder, as probes that failed. */
async function drainBesideLive(pointsman, folder, backlog) {
  const live = startLoad(pointsman.port, { rate: LIVE, warmUp: 600_000, seconds: 600, cpu: pointsman.cpu, cores });
  await waitFor('the breaker of legacy', pointsman.process, async () => (await pointsman.metric(BREAKER)) === 1);
  live.child.kill('SIGUSR1');
  const from = Date.now();
  const first = await pending(pointsman);
  let left = first;
  let peak = 0;
  while (left > backlog / 100) {
    if (Date.now() - from > 300_000) throw new Failure(`${left} events are still on disk`);
    await pause(200);
    left = await pending(pointsman);
    peak = Math.max(peak, journalMb(folder));
  }
  const seconds = (Date.now() - from) / 1000;
  live.child.kill('SIGTERM');
  const report = await live.report();
  return { report, peak, drained_s: (first - left) / seconds, drained: first - left };
}

async function once(keep, backlog, seconds, settling) {
  const folder = newFolder(DISK);
  const [legacy, fresh] = freePorts(2);
  const begin = () => startLedger({ legacy, fresh, cores });
  let ledger = await begin();
  const pointsman = await startPointsman(ledger, { cores, folder, keep, mode: 'legacy_only', failure: 'queue' });
  await pointsman.settle();
  const before = await runLoad(pointsman.port, { rate: LIVE, warmUp: 1000, seconds, cores });
  await prove(legacy, before);
  await stop(ledger.process);
  const accepting = { path: '/webhooks/accepted', count: backlog, seconds: 300, cores };
  const fill = await runLoad(pointsman.port, accepting);
  const memory = [residentKb(pointsman.pid)];
  const journal = [journalMb(folder)];
  ledger = await begin();
  const { report, peak, ...drain } = await drainBesideLive(pointsman, folder, backlog);
  await drained(pointsman);
  await prove(legacy, fill);
  await prove(legacy, report);
  memory.push(residentPeakKb(pointsman.pid), residentKb(pointsman.pid));
  // The file shrinks when nothing is written.
  for (let last = -1; settling && last !== journalMb(folder); await pause(3000)) last = journalMb(folder);
  journal.push(Math.max(peak, journal[0]), journalMb(folder));
  await pointsman.stop();
  await stop(ledger.process);
  return {
    ...{ keep, backlog, live_s: LIVE, accepted_s: fill.sent / fill.seconds, ...drain },
    ...{ before: latency(before), during: latency(report), live_202: report.answers.accepted_202 },
    cpu_us: report.cpu_us.proxy / (drain.drained + report.sent),
    memory_mb: memory.map((kb) => Math.round(kb / 1024)),
    journal_mb: journal,
  };
}

export async function run({ quick, say }) {
  const runs = [];
  for (const keep of quick ? ['14d'] : ['14d', '0s']) {
    say(`done events are kept for ${keep}`);
    runs.push(await once(keep, quick ? 5_000 : 100_000, quick ? 1 : 4, !quick));
  }
  return { runs };
}

export const tables = ({ runs }) => [
  [
    ['', ...runs.map((r) => `done rows kept ${r.keep}`)],
    [
      ['events on disk', ...runs.map((r) => r.backlog)],
      ['accepted/s while legacy was down', ...runs.map((r) => Math.round(r.accepted_s))],
      ['drained/s', ...runs.map((r) => Math.round(r.drained_s))],
      ['beside live events/s', ...runs.map((r) => r.live_s)],
      ['CPU µs/event', ...runs.map((r) => r.cpu_us)],
      ['live p50 / p99 before, ms', ...runs.map((r) => `${r.before.p50_us / 1000} / ${r.before.p99_us / 1000}`)],
      ['live p50 / p99 during, ms', ...runs.map((r) => `${r.during.p50_us / 1000} / ${r.during.p99_us / 1000}`)],
      ['live answered 202', ...runs.map((r) => r.live_202)],
      ['memory MB before / most / after', ...runs.map((r) => r.memory_mb.join(' / '))],
      ['journal MB before / most / after', ...runs.map((r) => r.journal_mb.join(' / '))],
    ],
  ],
];

export const verdicts = () => [];
