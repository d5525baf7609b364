// Twice of what pointsman can do is offered: what it still takes, how soon the rest is refused, what that costs, and how
// it recovers.
//
//   overload.mjs [embedded|off|redis …]     QUICK=1: shorter bursts
//
// What is accepted then is compared with the peak of senders that wait for each answer. Half of the capacity is offered
// before it, and again from a second before its end: its latency counts from a second after the end. Latencies count
// from when an event was to be sent. There are many connections, so that the queue is pointsman's and not the senders'.
// Ids are random ones, the dearest for the embedded store, or one core of senders could not offer twice as much.
// Before, the same senders offer less, step by step: what an event costs where nobody is refused, and so a refusal.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { table } from '../lib/figures.mjs';
import { startLoad } from '../lib/load.mjs';
import { Failure, pause } from '../lib/processes.mjs';
import { startNginxRefusing } from '../lib/servers.mjs';
import { verdict } from '../lib/show.mjs';
import { keep } from './keep.mjs';
import { figures, forgetPeak, onStage, sampled, usage } from './stage.mjs';

export const name = 'overload';
export const title = 'Twice of what it can do is offered';

const WARM_UP = 1500; // ms: a queue is a burst for its first 300 ms, by design
const CONNECTIONS = 4000;
const RECOVERY = 1; // seconds after the burst in which latency may still be high
const ROUNDS = 3; // the one in the middle is reported
const STEPS = [0.5, 0.7, 0.8, 0.9, 1, 1.25, 1.5]; // of the peak
const ACCEPTED = 'accepted, of the peak';
const MIB = 1024 * 1024;

/** What is asked of pointsman; §9 of the design and the measurements behind it. */
export const LIMITS = {
  accepted: 0.9, // of the peak
  answered: 0.9, // of what was due: taken or refused; the rest waits for a connection, or on one
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

/** The most that is answered per second, by senders that wait for each answer; and what an event costs. */
async function capacity(s, quick) {
  const found = [];
  for (const connections of quick ? [64, 256] : [64, 256, 64, 256]) {
    const load = s.load({ connections, scatteredIds: true, warmUp: 1000, seconds: quick ? 2 : 4, cpu: { pointsman: s.pid } });
    found.push({ connections, ...figures(await load.report(), ['pointsman']) });
  }
  return found.sort((a, b) => b.rate - a.rate)[0];
}

/** The burst, and half of the capacity from before its end: what was measured of it begins RECOVERY after the end. */
async function burstAndRest(s, rate, seconds, half) {
  const burst = s.load({ ...many(rate), seconds, cpu: { proxy: s.pid } });
  await pause(WARM_UP + (seconds - 1) * 1000);
  const rest = s.load({ ...half, 'allow-503': true, warmUp: 600_000 });
  const during = await burst.report();
  await pause(RECOVERY * 1000);
  rest.child.kill('SIGUSR1');
  return { burst: during, after: await rest.report() };
}

const many = (rate) => ({ rate, connections: CONNECTIONS, scatteredIds: true, 'allow-503': true, warmUp: WARM_UP });

/** What becomes of `rate` a second over CONNECTIONS; a second later nobody waits any more. */
async function step(s, rate) {
  const load = s.load({ ...many(rate), seconds: 3, cpu: { proxy: s.pid } });
  const report = await load.report();
  await pause(1000);
  return outcome(report);
}

const outcome = ({ planned, seconds, answers, cpu_us }) => ({
  offered: planned / seconds,
  accepted: answers.ok / seconds,
  refused: answers.refused_503 / seconds,
  cpu_share: cpu_us.proxy / seconds / 1e6,
});

async function inSteps(s, peak) {
  const found = [];
  for (const of of STEPS) found.push(await step(s, Math.round(peak * of)));
  return found;
}

/** As many refusals from as many senders, by nginx. */
async function nginxRefusal(s, rate) {
  const nginx = await startNginxRefusing(s.ledger);
  const { cpu_us, answers } = await startLoad(nginx.port, { ...many(rate), seconds: 3, cpu: nginx.cpu }).report();
  await nginx.stop();
  return cpu_us.proxy / answers.refused_503;
}

/**
 * What a refusal costs: all of the burst's CPU but that of its events, which cost what they do in the highest step that
 * refuses nobody. `left`: what is left of the peak, by these two prices, where all of the excess is refused.
 */
export function priced({ peak, steps, burst }) {
  const calm = steps.filter((one) => one.refused < one.offered / 1000).at(-1);
  const all = outcome(burst);
  if (!calm || all.refused === 0) return undefined;
  const event_us = (calm.cpu_share * 1e6) / calm.accepted;
  const refusal_us = (all.cpu_share * 1e6 - all.accepted * event_us) / all.refused;
  const left = (1e6 - all.offered * refusal_us) / (event_us - refusal_us) / peak.rate;
  return { event_us, refusal_us, left };
}

/** The most memory in the first and the second half of the samples. */
function memory(samples) {
  const half = samples.length >> 1;
  const most = (list) => Math.max(...list.map((one) => one.rss));
  return { first: most(samples.slice(0, half)), second: most(samples.slice(half)) };
}

async function measure(s, store, quick) {
  if (STORES[store].redis) await s.redis();
  await s.backends();
  await s.pointsman({ config: { ...STORES[store].config, limits: { connections: 2 * CONNECTIONS } } });
  const peak = await capacity(s, quick);
  const half = { rate: Math.round(peak.rate / 2), connections: 256, scatteredIds: true, seconds: quick ? 2 : 4 };
  const usual = await s.load({ ...half, warmUp: 500 }).report();
  forgetPeak(s.pid);
  const before = usage(s.pid);
  const [ran, samples] = await sampled(100, () => usage(s.pid), () => burstAndRest(s, Math.round(peak.rate * 2), quick ? 3 : 8, half));
  const end = usage(s.pid);
  const steps = quick ? [] : await inSteps(s, peak.rate);
  await s.leave();
  const { answers, seconds } = ran.burst;
  const nginx_us = quick || answers.refused_503 === 0 ? undefined : await nginxRefusal(s, Math.round(answers.refused_503 / seconds));
  return { store, peak, usual, ...ran, before, end, memory: memory(samples), steps, nginx_us };
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
  const answered = m.burst.answers.ok + refused;
  return [
    row('offered, times the peak', m.burst.planned / seconds / m.peak.rate, '>= 1.8', m.burst.planned / seconds >= 1.8 * m.peak.rate),
    row('of which answered', answered / m.burst.planned, `>= ${LIMITS.answered}`, answered >= LIMITS.answered * m.burst.planned),
    row(ACCEPTED, accepted / peak, `>= ${LIMITS.accepted}`, accepted >= LIMITS.accepted * peak),
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

const acceptedShare = ({ verdict: rows }) => rows.find((row) => row.what === ACCEPTED).value;

/** On two cores the senders, Redis and the backends share one, and that is what is overloaded. */
const judged = (quick) => (quick || availableParallelism() < 4 ? ['embedded'] : ['embedded', 'redis']);

export async function run({ quick, say, stores = judged(quick) }) {
  const measured = [];
  for (const store of stores) {
    if (!STORES[store]) throw new Failure(`"${store}" is no store; allowed are ${Object.keys(STORES).join(', ')}`);
    const rounds = [];
    for (let round = 1; round <= (quick ? 1 : ROUNDS); round++) {
      say(`${STORES[store].title}: round ${round}`);
      const m = await onStage({}, (s) => measure(s, store, quick));
      rounds.push({ ...m, verdict: judge(m), price: priced(m) });
    }
    const shares = rounds.map(acceptedShare);
    const middle = rounds.toSorted((a, b) => acceptedShare(a) - acceptedShare(b))[rounds.length >> 1];
    measured.push({ ...middle, accepted_shares: shares });
  }
  return { measured };
}

const prices = ({ price, nginx_us }) => [
  ['as many senders, CPU µs', ''],
  [
    ['an event, where nobody is refused', price?.event_us],
    ['a refusal', price?.refusal_us],
    ['a refusal by nginx (limit_req)', nginx_us],
    ['accepted, of the peak, where all of the excess is refused at these prices', price?.left],
  ].filter(([, value]) => value !== undefined),
];

export const tables = ({ measured }) => measured.flatMap((m) => [verdictTable(m), prices(m)]);

const verdictTable = ({ store, peak, burst, verdict: rows }) => [
  [`${STORES[store].title}: ${Math.round(peak.rate)}/s at most, ${Math.round(burst.planned / burst.seconds)}/s offered`, 'measured', 'asked', ''],
  rows.map((row) => [row.what, row.value, row.limit, row.kept ? 'kept' : 'NOT kept']),
];

export const verdicts = ({ measured }) => measured.map((m) =>
  verdict(`twice capacity, ${STORES[m.store].title}: accepted of the peak`, acceptedShare(m), LIMITS.accepted, LIMITS.accepted, { least: true }));

export const pictures = ({ measured: [{ store, steps, burst }] }) => {
  const all = [...steps, outcome(burst)];
  const points = (of) => all.map((one) => [one.offered, of(one)]);
  return {
    overload: {
      title: `What becomes of what is offered, ${STORES[store].title}`,
      x: { label: `offered, events/s over ${CONNECTIONS} connections` }, y: { label: 'a second' },
      series: [
        { name: 'accepted', points: points((one) => one.accepted) },
        { name: 'refused with 503', points: points((one) => one.refused) },
      ],
    },
  };
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await keep(name, async (quick) => {
    const stores = process.argv.slice(2);
    const data = await run({ quick, say: console.error, stores: stores.length > 0 ? stores : undefined });
    for (const [head, rows] of tables(data)) console.log(`\n${table(head, rows)}`);
    const failed = data.measured.flatMap((m) => m.verdict.filter((row) => !row.kept).map((row) => `${m.store}: ${row.what}`));
    return { data, failed };
  });
}
