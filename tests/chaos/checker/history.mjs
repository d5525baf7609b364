// The record of a run as the checker looks at it: attempts, sendings and rows of each event.

export const ROW = { queued: 0, sending: 1, parked: 2, dead: 3, done: 4 };
export const REASON = { unsent: 5, not_done: 6, rejected: 7, in_doubt: 8 };
export const SIDES = ['legacy', 'new'];
/** States of a leg in the store's record, see store/record.h. */
const LEG = { in_flight: '1', done: '2', in_doubt: '6' };

/** Attempts as the backends saw them: {n, event, side, role, inst, …, from, to, status, effects: [t]}, oldest first. */
function attemptsOf(record) {
  const byNumber = new Map();
  const end = record.ended ?? Infinity;
  for (const line of record.ledger) {
    if (line.k === 'received') {
      const { t, k: _k, ...rest } = line;
      byNumber.set(line.n, { ...rest, from: t, to: end, effects: [] });
      continue;
    }
    const attempt = byNumber.get(line.n);
    if (!attempt) continue;
    if (line.k === 'effect') attempt.effects.push(line.t);
    if (line.k === 'answered' || line.k === 'said') attempt.status = line.status;
    if (line.k === 'answered' || line.k === 'closed') attempt.to = Math.min(attempt.to, line.t);
  }
  return [...byNumber.values()].sort((x, y) => x.from - y.from);
}

/** The store's word on an event: {id, source, doubt}. Damaged texts are nobody's. */
function storeEvent({ key, text }) {
  const [, source, ...id] = key.slice(key.indexOf('ev:')).split(':');
  if (!text.startsWith('1 ')) return undefined;
  const first = text[21] === '-' ? 1 : 81;
  const legs = [text.slice(21, 21 + first)];
  legs.push(text[22 + first] === '-' ? '-' : text.slice(22 + first, 22 + first + 81));
  const doubt = legs.some((leg) => leg[1] === '0' && (leg[0] === LEG.in_doubt || leg[0] === LEG.in_flight));
  const done = legs.some((leg) => leg[1] === '0' && leg[0] === LEG.done);
  return { id: id.join(':'), source, doubt: doubt && !done };
}

export class History {
  constructor(record) {
    this.record = record;
    this.attempts = attemptsOf(record);
    this.events = new Map(record.events.map((event) =>
      [event.id, { ...event, sends: [], attempts: [], rows: [], store: undefined }]));
    for (const send of record.sends) this.events.get(send.event)?.sends.push(send);
    this.strangers = [];
    for (const attempt of this.attempts) {
      const event = this.events.get(attempt.event);
      if (event) event.attempts.push(attempt);
      else this.strangers.push(attempt);
    }
    for (const [inst, rows] of Object.entries(record.journals)) {
      for (const row of rows) this.events.get(row.id)?.rows.push({ ...row, inst });
    }
    for (const entry of record.store?.events ?? []) {
      const found = storeEvent(entry);
      if (found && this.events.has(found.id)) this.events.get(found.id).store = found;
    }
  }

  /** A wall-clock time of a row in µs as the run's milliseconds. */
  runTime(us) {
    return us / 1000 - this.record.wall;
  }
}

/** Times in which the machine did not let the driver or the backends run: a fault that nobody injected. */
export function stallsOf({ stalls = [], ledger }) {
  const backends = ledger.filter((line) => line.k === 'stall').map(({ from, t }) => ({ from, to: t }));
  return [...stalls, ...backends].map((stall) => ({ name: 'machine_stalled', ...stall, opens: { doubt: 'all' } }));
}

export const told2xx = (send) => send.status >= 200 && send.status < 300;
export const owners = (event) => event.attempts.filter((attempt) => attempt.role === 'owner');
