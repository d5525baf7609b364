// How comparisons are shown, on a terminal and in the docs: rows of their figures, and what the budgets say.

import { rounded } from './figures.mjs';

const ms = (us) => (us === null || us === undefined ? null : rounded(us / 1000));
export const spread = ([least, most]) => `${rounded(least)}–${rounded(most)}`;

/** Head and rows: CPU and capacity at saturation. */
export function saturationTable(subjects) {
  const head = ['', 'CPU µs/event', 'rounds', 'events/s', 'Redis µs/event', 'calls/event'];
  const rows = Object.entries(subjects).map(([name, s]) => [
    ...[name, s.cpu_us, spread(s.cpu_us_range), Math.round(s.events_s), s.redis_us > 0.5 ? s.redis_us : null],
    s.calls,
  ]);
  return [head, rows];
}

/** Head and rows: latency at each share of capacity. */
export function latencyTable(subjects) {
  const head = ['', 'of capacity', 'events/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU µs/event', 'not sent'];
  const rows = Object.entries(subjects).flatMap(([name, s]) =>
    Object.entries(s.latency ?? {}).map(([share, l]) => [
      ...[name, `${share} %`, l.rate, ms(l.p50_us), ms(l.p99_us), ms(l.p999_us), l.cpu_us, l.unsent],
    ]),
  );
  return [head, rows];
}

/** Head and rows: ours over each peer. */
export function ratioTable(ratios) {
  const rows = Object.entries(ratios).map(([peer, r]) => [`pointsman ÷ ${peer}`, r.median, spread(r.range)]);
  return [['CPU per event', 'ratio', 'rounds'], rows];
}

/** {what, value, now, aim, kept, aimed}; `least`: it is to be at least, not at most. */
export function verdict(what, value, now, aim, { least = false } = {}) {
  const keeps = (budget) => value !== null && value !== undefined && (least ? value >= budget : value <= budget);
  return { what, value: value ?? null, now, aim, least, kept: keeps(now), aimed: keeps(aim) };
}

export function verdictTable(verdicts) {
  const rows = verdicts.map((v) => {
    const sign = v.least ? '≥' : '≤';
    const says = v.value === null ? 'not measured' : v.kept ? (v.aimed ? 'kept, and the aim' : 'kept') : 'NOT kept';
    return [v.what, v.value, `${sign} ${v.now.toLocaleString('en-US')}`, `${sign} ${v.aim.toLocaleString('en-US')}`, says];
  });
  return [['budget (DESIGN §10)', 'measured', 'now', 'in the end', ''], rows];
}
