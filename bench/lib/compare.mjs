// Proxies that are compared: one after the other in each round, so that a machine that changes its mood changes it for all.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { median } from './figures.mjs';
import { freePorts, prove, runLoad, startLedger } from './load.mjs';
import { OTHER_CORE, pause, scratch, start, stop } from './processes.mjs';
import { startRedis } from './servers.mjs';

/**
 * A subject: {name, port, cpu: {proxy: pid, …}, load: options of the load, proof: options of prove}; `ledger` is behind
 * all of them. One measurement with the load's options; what was sent was done, or it fails.
 */
export async function measure(subject, ledger, redis, options) {
  const cpu = { ...subject.cpu, ledger: ledger.pid, ...(redis ? { redis: redis.pid } : {}) };
  const report = await runLoad(subject.port, { ...subject.load, ...options, cpu });
  await prove(ledger.legacy, report, subject.proof);
  return report;
}

const perEvent = (report, name) => (report.cpu_us[name] ?? 0) / report.sent;

/** Rounds of all subjects at saturation: {name: {cpu_us, events_s, p50_us, p99_us, redis_us, others}}, arrays by round. */
export async function rounds(subjects, ledger, redis, { count, seconds, warmUp = 400, say, load = {} }) {
  const figures = Object.fromEntries(subjects.map(({ name }) => [name, []]));
  for (let round = 1; round <= count; round++) {
    say(`round ${round} of ${count}`);
    for (const subject of subjects) {
      const report = await measure(subject, ledger, redis, { seconds, warmUp, ...load });
      figures[subject.name].push({
        cpu_us: perEvent(report, 'proxy'),
        redis_us: perEvent(report, 'redis'),
        events_s: report.sent / report.seconds,
        p50_us: report.latency_us.p50,
        p99_us: report.latency_us.p99,
        others: report.others_us / report.seconds / 1e6,
      });
    }
  }
  return figures;
}

/** Medians over the rounds of one subject. */
export function medians(figures) {
  const of = (key) => median(figures.map((one) => one[key]));
  const cpu = figures.map((one) => one.cpu_us);
  return {
    cpu_us: of('cpu_us'),
    cpu_us_range: [Math.min(...cpu), Math.max(...cpu)],
    events_s: of('events_s'),
    p50_us: of('p50_us'),
    p99_us: of('p99_us'),
    redis_us: of('redis_us'),
    others: figures.map((one) => one.others),
  };
}

/** The median of each round's ratio of a figure, and their range. */
export function ratio(above, below, key = 'cpu_us') {
  const all = above.map((one, i) => one[key] / below[i][key]);
  return { median: median(all), range: [Math.min(...all), Math.max(...all)] };
}

/** Latency at a constant rate, a share of the subject's own capacity; of all events that were due. */
export async function latencies(subjects, ledger, redis, { capacity, shares, seconds, say, load = {} }) {
  const out = Object.fromEntries(subjects.map(({ name }) => [name, {}]));
  for (const share of shares) {
    say(`latency at ${share} % of capacity`);
    for (const subject of subjects) {
      const rate = Math.max(1, Math.round((capacity[subject.name] * share) / 100));
      const report = await measure(subject, ledger, redis, { ...load, rate, seconds, warmUp: 500 });
      const { p50, p99, p999, max } = report.latency_us;
      const others = report.others_us / report.seconds / 1e6;
      const us = { cpu_us: perEvent(report, 'proxy'), p50_us: p50, p99_us: p99, p999_us: p999, max_us: max };
      out[subject.name][share] = { rate, ...us, unsent: report.unsent, others };
    }
  }
  return out;
}

const isTraced = (pid) =>
  readdirSync(`/proc/${pid}/task`).every(
    (thread) => !/^TracerPid:\s*0$/m.test(readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')),
  );

/** System calls of all threads for each event, by strace; null where it is not allowed to look. */
export async function callsPerEvent(subject, ledger, { seconds = 1, load = {} } = {}) {
  const file = join(scratch, `${subject.name.replaceAll(/\W/g, '')}.calls`);
  const pid = subject.cpu.proxy;
  const tracer = start('strace', OTHER_CORE, ['strace', '-f', '-c', '-o', file, '-p', String(pid)]);
  while (!tracer.over && !isTraced(pid)) await pause(20);
  if (tracer.over) return null;
  const report = await measure(subject, ledger, null, { ...load, seconds, warmUp: 0 });
  tracer.child.kill('SIGINT');
  await tracer.ended;
  const line = existsSync(file) && readFileSync(file, 'utf8').match(/^.* total$/m)?.[0];
  return line ? Number(line.trim().split(/\s+/)[3]) / report.total.sent : null; // %, seconds, µs/call, calls, errors
}

/** Starts the backends, Redis where it is asked for, and what `make(ledger, redis)` starts; ends them after `use`. */
export async function withSubjects({ redis: wanted = false, ledger: options = { percentage: 25 } }, make, use) {
  const [legacy, fresh] = freePorts(2);
  const ledger = await startLedger({ legacy, fresh, ...options });
  const redis = wanted ? await startRedis() : null;
  const subjects = [];
  try {
    for (const one of make) subjects.push(await one(ledger, redis));
    await Promise.all(subjects.map((subject) => subject.settle?.()));
    return await use(subjects, ledger, redis);
  } finally {
    await Promise.all(subjects.map((subject) => subject.stop()));
    await redis?.stop();
    await stop(ledger.process);
  }
}

/**
 * The whole comparison: rounds at saturation, latency at shares of each one's capacity, system calls. The first subject
 * is ours: `ratios` holds it over each of the others.
 */
export async function comparison(setup, make, { quick, say, calls = false, shares = quick ? [80] : [50, 80], load = {} }) {
  const [count, seconds] = quick ? [2, 1] : [8, 2];
  return withSubjects(setup, make, async (subjects, ledger, redis) => {
    const figures = await rounds(subjects, ledger, redis, { count, seconds, warmUp: quick ? 200 : 400, say, load });
    const summary = Object.fromEntries(subjects.map(({ name }) => [name, medians(figures[name])]));
    const capacity = Object.fromEntries(subjects.map(({ name }) => [name, summary[name].events_s]));
    const at = { capacity, shares, seconds: quick ? 1 : 4, say, load };
    const latency = await latencies(subjects, ledger, redis, at);
    for (const subject of subjects) {
      summary[subject.name].latency = latency[subject.name];
      if (calls && (!quick || subject === subjects[0])) summary[subject.name].calls = await callsPerEvent(subject, ledger, { load });
    }
    const [ours, ...peers] = subjects.map(({ name }) => name);
    const ratios = Object.fromEntries(peers.map((peer) => [peer, ratio(figures[ours], figures[peer])]));
    return { rounds: count, seconds, subjects: summary, ratios };
  });
}
