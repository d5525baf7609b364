// The load generator and the ledger: running them, and the proof that what was sent was done.

import { execFileSync } from 'node:child_process';

import { connects, getJson } from './http.mjs';
import { Failure, OTHER_CORE, pause, start, waitFor } from './processes.mjs';

export const SECRET = 'bench-secret';

export const freePorts = (count) =>
  execFileSync('build/bench/load', ['--free-ports', String(count)], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(Number);

const dashed = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function argumentsOf({ cpu = {}, ...options }) {
  const args = Object.entries(cpu).flatMap(([name, pid]) => ['--cpu', `${name}=${pid}`]);
  for (const [name, value] of Object.entries(options))
    if (value === true) args.push(`--${dashed(name)}`);
    else if (value !== undefined && value !== false) args.push(`--${dashed(name)}`, String(value));
  return args;
}

/**
 * Starts it; `options` are its own, in camelCase (rate, seconds, warmUp, newConnections, cpu: {name: pid} …). `report()`
 * waits for its end and gives its JSON, with `others_us`, the CPU time that programs took which are not named in `cpu`;
 * it fails on any answer that the options do not allow.
 */
export function startLoad(port, { cores = OTHER_CORE, ...options }) {
  const args = argumentsOf({ secret: options.unsigned ? undefined : SECRET, ...options });
  const load = start('load', cores, ['build/bench/load', '--port', String(port), ...args], { piped: true });
  let out = '';
  let errors = '';
  load.child.stdout.on('data', (chunk) => (out += chunk));
  load.child.stderr.on('data', (chunk) => (errors += chunk));
  load.report = async () => {
    const { code, signal } = await load.ended;
    if (code !== 0) throw new Failure(`load ${args.join(' ')}: exit ${code ?? signal}: ${errors}${out}`);
    const report = JSON.parse(out);
    const named = Object.values(report.cpu_us).reduce((sum, us) => sum + us, 0);
    return { ...report, others_us: Math.max(0, report.machine_us - named) };
  };
  return load;
}

export const runLoad = (port, options) => startLoad(port, options).report();

/** Legacy and new; `options` are those of the backend, in camelCase. */
export async function startLedger({ cores = OTHER_CORE, legacy, fresh, ...options }) {
  const command = ['build/bench/backend', '--legacy', String(legacy), '--new', String(fresh), ...argumentsOf(options)];
  const ledger = start('ledger', cores, command);
  await waitFor('the backends', ledger, () => connects(legacy));
  return { ...ledger, process: ledger, legacy, fresh };
}

const EMPTY = { legacy: { requests: 0, distinct: 0 }, new: { requests: 0, distinct: 0 }, errors: 0, twice: 0, both: 0 };

/** What the backends have of the run of a report, or of a run's name. */
export async function ledgerOf(port, run) {
  return (await getJson(port, '/'))[run.run ?? run] ?? EMPTY;
}

/**
 * Each event was done: once, at one side (`parallel`: once at both), with `judged` at the side of its bucket. What comes
 * after the answer is waited for. `events`: how many there must be; without it all that the report says were sent.
 */
export async function prove(port, report, { parallel = false, judged = false, events, seconds = 5 } = {}) {
  const sent = events ?? report.total.events;
  const sides = parallel ? 2 : 1;
  let run;
  for (const until = Date.now() + seconds * 1000; ; await pause(50)) {
    run = await ledgerOf(port, report);
    if (run.legacy.distinct + run.new.distinct >= sides * sent || Date.now() > until) break;
  }
  const wrong = [];
  if (run.legacy.distinct + run.new.distinct !== sides * sent)
    wrong.push(`of ${sent} events ${run.legacy.distinct} are done at legacy, ${run.new.distinct} at new`);
  if (run.twice) wrong.push(`${run.twice} were done twice`);
  if (run.both !== (parallel ? sent : 0)) wrong.push(`${run.both} were done at both sides`);
  if (judged && run.wrong_side !== 0) wrong.push(`${run.wrong_side} were done at the wrong side`);
  if (wrong.length) throw new Failure(`run ${report.run ?? report}: ${wrong.join('; ')}`);
  return run;
}
