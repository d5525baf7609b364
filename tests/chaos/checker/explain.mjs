// Which injected fault explains what: the only excuses the checker knows.

/** A machine with few cores notices things late: so much after an attempt a fault still counts as overlapping it. */
export const SLACK_MS = 800;
/** After the store forgot, was away or came back, claims of before are put back or published for a while. */
const RETURN_MS = 5000;

const overlap = (a, b, c, d) => a <= d && c <= b;

/** A stop this long may have been longer than what was left of a lease: leases are renewed at a third. */
function pastLease(fault) {
  return fault.opens.paused !== undefined && fault.to - fault.from >= (fault.opens.lease * 2) / 3;
}

/**
 * Why two attempts were let through together or one after the other: "local", "store_lost", "paused", or undefined.
 * `first` began before `second`; both are attempts of owners.
 */
export function whyTwo(faults, first, second) {
  for (const fault of faults) {
    if (!fault.opens.local) continue;
    for (const one of [first, second]) {
      if (overlap(one.from, one.to + SLACK_MS, fault.from, fault.to + RETURN_MS)) return 'local';
    }
  }
  for (const fault of faults) {
    if (fault.opens.store_lost && overlap(first.from, second.from + SLACK_MS, fault.from, fault.to)) return 'store_lost';
  }
  for (const fault of faults) {
    if (!pastLease(fault)) continue;
    for (const one of [first, second]) {
      if (one.inst === fault.opens.paused.inst && overlap(one.from, one.to, fault.from, fault.to + SLACK_MS)) return 'paused';
    }
  }
  return undefined;
}

/** Traces an event left: attempts, sendings, and the moments its rows last changed; {from, to, inst, side}. */
function traces(event, history) {
  const found = event.attempts.filter((attempt) => attempt.role === 'owner')
    .map(({ from, to, inst, side }) => ({ from, to: to + SLACK_MS, inst, side }));
  for (const { from, to, inst } of event.sends) found.push({ from, to: to + SLACK_MS, inst });
  for (const row of event.rows) {
    const t = history.runTime(row.changed);
    found.push({ from: t - history.record.run.timeout - SLACK_MS, to: t, inst: row.inst });
  }
  return found;
}

/** The fault that explains that the effect of this event is unknown, or undefined. */
export function whyDoubt(faults, event, history) {
  const all = traces(event, history);
  return faults.find(({ opens, from, to }) => {
    if (opens.doubt === undefined) return false;
    return all.some((trace) => {
      if (!overlap(trace.from, trace.to, from, to + SLACK_MS)) return false;
      if (opens.doubt === 'all') return true;
      if (opens.doubt.inst !== undefined) return trace.inst === opens.doubt.inst;
      return trace.side === undefined || trace.side === opens.doubt.side;
    });
  });
}
