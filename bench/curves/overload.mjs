// Twice of what pointsman can do is offered: what it still takes, how soon the rest is refused, and how it recovers.
//
//   overload.mjs [embedded|off|redis …]     QUICK=1: shorter bursts
//
// What is accepted then is compared with the peak of senders that wait for each answer. Half of the capacity is offered
// before it, and again from a second before its end: its latency counts from a second after the end. Latencies count
// from when an event was to be sent. There are many connections, so that the queue is pointsman's and not the senders'.

import { fileURLToPath } from 'node:url';
import { pause } from '../../tests/e2e/harness/wait.mjs';
import { cpu, forgetPeak, sampled, Stage, usage } from './stage.mjs';
import { number, save, table } from './result.mjs';

const QUICK = Boolean(process.env.QUICK);
const BURST = QUICK ? 3 : 8; // seconds
const WARM_UP = 500; // ms
const CONNECTIONS = 4000;
const RECOVERY = 1; // seconds after the burst in which latency may still be high
const MIB = 1024 * 1024;

/** What is asked of pointsman; §9 of the design and the measurements behind it. */
export const LIMITS = {
  accepted: 0.9, // of the peak
  refused_p99_ms: 100,
  accepted_p99_ms: 500,
  recovered_p99: 3, // times that of before the burst …
  recovered_ms: 5, // … or at least this
  memory: 1.1, // second half of the burst to the first …
  memory_mib: 8, // … and this much besides
};

const STORES = {
  embedded: { title: 'claims in the embedded store', redis: false, config: { store: { kind: 'embedded' } } },
  off: { title: 'no claims', redis: false, config: { store: { kind: 'embedded', claims: false } } },
  redis: { title: 'claims in Redis', redis: true, config: {} },
};

const config = (over) => ({
  ...over,
  limits: { connections: 2 * CONNECTIONS },
});

async function stage(store) {
  const s = new Stage('overload');
  try {
    if (STORES[store].redis) await s.redis();
    await s.backends();
    await s.pointsman({ config: config(STORES[store].config) });
  } catch (error) {
    await s.close();
    throw error;
  }
  return s;
}

/** The most that is answered per second, by senders that wait for each answer; and what an event costs. */
async function capacity(s) {
  const found = [];
  for (const connections of QUICK ? [64, 256] : [64, 256, 64, 256]) {
    const run = await s.load({ connections, warmUp: 1000, seconds: QUICK ? 2 : 4, cpu: `pointsman=${s.pid}` }).ended;
    found.push({ connections, rate: run.answers.ok / run.seconds, cpu_us: run.cpu_us.pointsman / run.answers.ok });
  }
  return found.sort((a, b) => b.rate - a.rate)[0];
}

function memory(samples) {
  const half = samples.length >> 1;
  const most = (list) => Math.max(...list.map((one) => one.rss));
  return { first: most(samples.slice(0, half)), second: most(samples.slice(half)) };
}

async function measure(store) {
  const s = await stage(store);
  try {
    const peak = await capacity(s);
    const half = { rate: Math.round(peak.rate / 2), connections: 256, seconds: QUICK ? 2 : 4 };
    const usual = await s.load({ ...half, warmUp: 500 }).ended;
    forgetPeak(s.pid);
    const before = usage(s.pid);
    const used = cpu(s.pid);
    const burst = s.load({
      rate: Math.round(peak.rate * 2), connections: CONNECTIONS, 'allow-503': true, warmUp: WARM_UP, seconds: BURST,
    });
    const [[run, after], samples] = await sampled(100, () => usage(s.pid), async () => {
      await pause(WARM_UP + (BURST - 1) * 1000);
      const rest = s.load({ ...half, 'allow-503': true, warmUp: 600_000 });
      const done = await burst.ended;
      await pause(RECOVERY * 1000);
      rest.child.kill('SIGUSR1');
      return [done, await rest.ended];
    });
    const cores = (cpu(s.pid) - used) / 1e6;
    return { store, peak, usual, burst: run, after, cores, before, end: usage(s.pid), memory: memory(samples) };
  } finally {
    await s.close();
  }
}

/** [{what, value, limit, kept}] of one measurement. */
export function judge(m) {
  const seconds = m.burst.seconds;
  const accepted = m.burst.answers.ok / seconds;
  const peak = Math.max(m.peak.rate, accepted);
  const [ms, p99] = [(us) => us / 1000, m.usual.latency_us.p99];
  const row = (what, value, limit, kept) => ({ what, value, limit, kept });
  const most = Math.max(p99 * LIMITS.recovered_p99, LIMITS.recovered_ms * 1000);
  const grown = m.memory.first * LIMITS.memory + LIMITS.memory_mib * MIB;
  const refused = m.burst.answers.refused_503;
  return [
    row('offered, times the peak', m.burst.sent / seconds / m.peak.rate, '>= 1.8', m.burst.sent / seconds >= 1.8 * m.peak.rate),
    row('accepted, of the peak', accepted / peak, `>= ${LIMITS.accepted}`, accepted >= LIMITS.accepted * peak),
    row('answers but 2xx and 503', m.burst.answers.other + m.burst.broken, '0', m.burst.answers.other + m.burst.broken === 0),
    row('503 without Retry-After', refused - m.burst.retry_after, '0', refused > 0 && refused === m.burst.retry_after),
    row('refused p99, ms', ms(m.burst.refused_latency_us.p99), `<= ${LIMITS.refused_p99_ms}`,
      refused > 0 && ms(m.burst.refused_latency_us.p99) <= LIMITS.refused_p99_ms),
    row('accepted p99, ms', ms(m.burst.latency_us.p99), `<= ${LIMITS.accepted_p99_ms}`,
      ms(m.burst.latency_us.p99) <= LIMITS.accepted_p99_ms),
    row('p99 from 1 s after, ms', ms(m.after.latency_us.p99), `<= ${ms(most).toFixed(1)}`, m.after.latency_us.p99 <= most),
    row('refused from 1 s after', m.after.answers.refused_503, '0', m.after.answers.refused_503 === 0),
    row('memory at most, MiB', m.memory.second / MIB, `<= ${(grown / MIB).toFixed(0)}`, m.memory.second <= grown),
  ];
}

async function main(stores) {
  const failed = [];
  const results = [];
  for (const store of stores) {
    if (!STORES[store]) throw new Error(`"${store}" is no store; allowed are ${Object.keys(STORES).join(', ')}`);
    const m = await measure(store);
    const rows = judge(m);
    console.log(`\n${STORES[store].title}: at most ${number(m.peak.rate)} events/s by ${m.peak.connections} senders that wait, ` +
      `${number(m.peak.cpu_us)} us of CPU each; then ${number(m.burst.sent / m.burst.seconds)}/s for ${BURST} s`);
    console.log(table([['', 'measured', 'asked', ''], ...rows.map((r) => [r.what, r.value, r.limit, r.kept ? 'kept' : 'NOT KEPT'])]));
    results.push({ ...m, verdict: rows });
    failed.push(...rows.filter((r) => !r.kept).map((r) => `${store}: ${r.what}`));
  }
  if (process.env.SAVE) save('overload', { overload: results });
  if (failed.length > 0) throw new Error(`not kept: ${failed.join('; ')}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main(process.argv.length > 2 ? process.argv.slice(2) : ['embedded', 'redis']).catch((error) => {
    console.error(`overload: ${error.message}`);
    process.exit(1);
  });
}
