// Judges the record of a run after healing: a pure function from what was told, done and kept to a verdict.

import { History, owners, REASON, ROW, SIDES, stallsOf, told2xx } from './history.mjs';
import { whyDoubt, whyTwo } from './explain.mjs';

const NOT_DONE = [408, 425, 429, 500, 503];
const CALM_SHARE = 0.999;
/** So long before an attempt a mode may have been read. */
const MODE_AGE_MS = 2000;

/** Answered 2xx, but neither done nor kept: {event, told}. */
function findLost(history) {
  const kept = [ROW.queued, ROW.sending, ROW.parked, ROW.dead];
  return [...history.events.values()].filter((event) => {
    const told = event.sends.filter((send) => told2xx(send) && send.word !== 'ignored');
    if (told.length === 0) return false;
    if (owners(event).some((attempt) => attempt.effects.length > 0)) return false;
    return !event.rows.some((row) => kept.includes(row.state));
  }).map((event) => ({ event: event.id, told: event.sends.filter(told2xx).map((send) => `${send.status} ${send.word}`) }));
}

/** Attempts of owners that had two effects where one was promised: pairs {event, first, second}. */
function findDoubled(history) {
  const { idempotent } = history.record.run;
  const found = [];
  for (const event of history.events.values()) {
    const effective = owners(event).filter((attempt) => attempt.effects.length > 0);
    for (let i = 1; i < effective.length; i++) {
      const [first, second] = [effective[i - 1], effective[i]];
      if (first.side === second.side && idempotent[first.side]) continue;
      found.push({ event: event.id, first, second });
    }
  }
  return found;
}

/** Overlapping open attempts of one leg or one event, all as owner. */
function findOverlapping(history) {
  const found = [];
  for (const event of history.events.values()) {
    for (const [first, second] of overlaps(owners(event))) found.push({ event: event.id, first, second });
  }
  return found;
}

/** Overlapping open attempts of owners for one entity at two sides. */
function findTwoOwners(history) {
  const entities = new Map();
  for (const event of history.events.values()) {
    const key = `${event.source} ${event.entity}`;
    if (!entities.has(key)) entities.set(key, []);
    entities.get(key).push(...owners(event));
  }
  const found = [];
  for (const [entity, attempts] of entities) {
    attempts.sort((x, y) => x.from - y.from);
    for (const [first, second] of overlaps(attempts)) {
      if (first.side !== second.side) found.push({ entity, event: second.event, first, second });
    }
    found.push(...sunkFences(entity, attempts));
  }
  return found;
}

/** A change of side without a higher fence: the backend could not tell it from a late one. */
function sunkFences(entity, attempts) {
  const found = [];
  const last = {};
  for (const attempt of attempts) {
    if (attempt.late) continue;
    const other = last[SIDES.find((side) => side !== attempt.side)];
    if (other && attempt.fence !== undefined && BigInt(attempt.fence) <= BigInt(other.fence) && attempt.from > other.to) {
      found.push({ entity, event: attempt.event, first: other, second: attempt, fence: true });
    }
    if (!last[attempt.side] || BigInt(attempt.fence ?? 0) > BigInt(last[attempt.side].fence ?? 0)) last[attempt.side] = attempt;
  }
  return found;
}

/** Pairs whose intervals overlap; the attempts are sorted by their beginning. A late one was over before. */
function* overlaps(all) {
  const attempts = all.filter((attempt) => !attempt.late);
  for (let i = 0; i < attempts.length; i++) {
    for (let j = i + 1; j < attempts.length; j++) {
      if (attempts[i].to > attempts[j].from) yield [attempts[i], attempts[j]];
    }
  }
}

/**
 * Events that left their pin for new although the mode was surely `gradual`, between 0 and 100 %, all the time. (To
 * legacy they may go: the fallback.)
 */
function findStrayed(history) {
  const { modes = [], faults } = history.record;
  const found = [];
  for (const event of history.events.values()) {
    const all = owners(event);
    for (let i = 1; i < all.length; i++) {
      const [first, second] = [all[i - 1], all[i]];
      if (first.side !== 'legacy' || second.side !== 'new') continue;
      if (surelyGradual(modes, first.from - MODE_AGE_MS, second.from) && !faults.some((f) => f.opens.away)) {
        found.push({ event: event.id, first, second });
      }
    }
  }
  return found;
}

function surelyGradual(modes, from, to) {
  const before = modes.filter((entry) => entry.everywhere !== undefined && entry.everywhere <= from).at(-1);
  if (!before) return false;
  const relevant = [before, ...modes.filter((entry) => entry.t > before.t && entry.t <= to)];
  return relevant.every(({ mode, percentage, sure }) => sure && mode === 'gradual' && percentage > 0 && percentage < 100);
}

/**
 * Events of a source with `order: entity` that overtook one that had arrived before at the same instance. Only where
 * the arrival is beyond doubt: each was sent once, and the first was answered 202 before the second was sent.
 */
function findOutOfOrder(history) {
  const lines = new Map();
  for (const event of history.events.values()) {
    const [send, ...more] = event.sends;
    if (history.record.run.sources[event.source]?.order !== 'entity' || more.length > 0 || send?.status !== 202) continue;
    if (event.rows.some((row) => row.state === ROW.parked || row.state === ROW.dead)) continue;
    const key = `${send.inst} ${event.source} ${event.entity}`;
    if (!lines.has(key)) lines.set(key, []);
    lines.get(key).push({ event, send, attempts: owners(event) });
  }
  const found = [];
  for (const line of lines.values()) {
    line.sort((x, y) => x.send.from - y.send.from);
    for (let i = 1; i < line.length; i++) {
      const [before, after] = [line[i - 1], line[i]];
      const done = before.attempts.find((attempt) => attempt.effects.length > 0);
      const early = after.attempts[0];
      if (before.send.to < after.send.from && done && early && early.from < done.from) {
        found.push({ entity: after.event.entity, event: after.event.id, first: done, second: early });
      }
    }
  }
  return found;
}

/** Sorts what one kind of fault explains from what nothing explains. */
function sortApart(pairs, faults, apart) {
  const left = [];
  for (const pair of pairs) {
    const why = whyTwo(faults, pair.first, pair.second);
    if (why) apart[why].push(pair);
    else left.push(pair);
  }
  return left;
}

function findDoubts(history) {
  const faults = [...history.record.faults, ...stallsOf(history.record)];
  const doubts = [...history.events.values()].filter((event) =>
    event.rows.some((row) => row.state === ROW.parked) || event.store?.doubt);
  const unexplained = doubts.filter((event) => !whyDoubt(faults, event, history));
  return { count: doubts.length, unexplained: unexplained.map((event) => ({ event: event.id })) };
}

/** Dead rows: each a rejection the backend really said, or a full ladder. */
function findDead(history) {
  const steps = history.record.run.ladder.length;
  const dead = [...history.events.values()].flatMap((event) =>
    event.rows.filter((row) => row.state === ROW.dead).map((row) => ({ event, row })));
  const unexplained = dead.filter(({ event, row }) => {
    if (row.reason === REASON.rejected) {
      return !event.attempts.some(({ status }) => status >= 300 && status < 500 && !NOT_DONE.includes(status));
    }
    return !([REASON.unsent, REASON.not_done].includes(row.reason) && row.tries >= steps);
  });
  return {
    count: dead.length,
    unexplained: unexplained.map(({ event, row }) => ({ event: event.id, reason: row.reason, tries: row.tries })),
  };
}

/** What backends got that nobody sent, or not as it was sent. */
function findMangled(history) {
  const found = history.strangers.map(({ event, n }) => ({ event, n, what: 'an event that nobody sent' }));
  for (const event of history.events.values()) {
    for (const attempt of event.attempts) {
      const say = (what) => found.push({ event: event.id, n: attempt.n, what });
      if (event.verdict === 'ignored') say('an event that nobody wants was forwarded');
      if (attempt.partial) continue;
      if (attempt.hash !== event.hash) say('another body');
      if (attempt.key !== `"${event.id}"`) say(`Idempotency-Key ${attempt.key}`);
    }
  }
  return found;
}

/** Of the events of calm stretches: how many a backend answered 2xx, or did where the sender is answered before. */
function availability(history) {
  const calm = [...history.events.values()].filter((event) => event.sends[0]?.why === 'calm');
  const failed = calm.filter((event) => {
    const accepted = history.record.run.sources[event.source]?.reply === 'accepted';
    const byBackend = ({ status, from_backend, word }) => told2xx({ status }) && (from_backend || word === 'routed');
    const done = owners(event).some((attempt) => attempt.effects.length > 0);
    return accepted ? !(event.sends.some(told2xx) && done) : !event.sends.some(byBackend);
  });
  return {
    sent: calm.length,
    answered: calm.length - failed.length,
    failed: failed.map((event) => ({
      event: event.id, told: event.sends.map((send) => send.error ?? `${send.status} ${send.word}`),
    })),
  };
}

/** The longest stretch in which all sendings that ended were refused or not answered, in ms. */
function longestUnavailability({ sends }) {
  let longest = 0;
  let since;
  for (const { from, to, status } of [...sends].sort((x, y) => x.to - y.to)) {
    if (status < 500) since = undefined;
    else longest = Math.max(longest, to - (since ??= from));
  }
  return Math.round(longest);
}

function counts(history) {
  const told = {};
  for (const send of history.record.sends) {
    const what = send.error ? `no answer` : `${send.status}${send.from_backend ? '' : ` ${send.word ?? ''}`}`.trim();
    told[what] = (told[what] ?? 0) + 1;
  }
  const injected = {};
  for (const { name } of history.record.faults) injected[name] = (injected[name] ?? 0) + 1;
  const stalls = stallsOf(history.record).map(({ from, to }) => to - from);
  return {
    events: history.events.size,
    sends: history.record.sends.length,
    attempts: history.attempts.length,
    effects: history.attempts.reduce((sum, attempt) => sum + (attempt.role === 'owner' ? attempt.effects.length : 0), 0),
    told,
    faults: injected,
    stalls: { count: stalls.length, longest_ms: Math.round(Math.max(0, ...stalls)) },
  };
}

/**
 * The verdict: {ok, violations: {name: [..]}, apart: {store_lost, local, paused}, doubts, dead, availability,
 * longest_unavailability_ms, counts}. `violations` has every kind, empty ones too; ok means that all are empty.
 */
export function judge(record) {
  const history = new History(record);
  const apart = { store_lost: [], local: [], paused: [] };
  const doubts = findDoubts(history);
  const dead = findDead(history);
  const calm = availability(history);
  const violations = {
    lost: findLost(history),
    doubled: sortApart(findDoubled(history), record.faults, apart),
    overlapping: sortApart(findOverlapping(history), record.faults, apart),
    two_owners: sortApart(findTwoOwners(history), record.faults, apart),
    strayed: findStrayed(history),
    out_of_order: findOutOfOrder(history),
    doubt_unexplained: doubts.unexplained,
    dead_unexplained: dead.unexplained,
    mangled: findMangled(history),
    unavailable: calm.sent > 0 && calm.answered < calm.sent * CALM_SHARE ? calm.failed : [],
    not_healed: record.missed ? [{ what: record.missed }] : [],
    crashed: record.wrong.map((what) => ({ what })),
  };
  return {
    ok: Object.values(violations).every((list) => list.length === 0),
    violations,
    apart,
    doubts: { count: doubts.count },
    dead: { count: dead.count },
    availability: { sent: calm.sent, answered: calm.answered },
    longest_unavailability_ms: longestUnavailability(record),
    counts: counts(history),
  };
}
