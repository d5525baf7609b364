// What a run showed, for people.

const SHOWN = 5;
const LOG_LINES = 4;
const LINE_CUT = 300;

function pairs(object) {
  return Object.entries(object).map(([name, value]) => `${name} ${value}`).join(', ') || 'none';
}

function attempt({ n, side, inst, attempt: number, fence, from, to, status, effects }) {
  const times = `${from.toFixed(1)}..${to.toFixed(1)}`;
  return `${side} from ${inst} (${n}, attempt ${number}, fence ${fence}, ${times}, status ${status ?? '-'}, effects ${effects.length})`;
}

/** The first line of a text and its end: a log may be behind it. */
function brief(text) {
  const [first, ...rest] = text.split('\n');
  return [first, ...rest.slice(-LOG_LINES)].map((line) => line.slice(0, LINE_CUT)).join('\n        ');
}

function violation(one) {
  if (one.first) {
    return `${one.entity ? `${one.entity}: ` : ''}${one.fence ? 'fence not higher: ' : ''}${one.event}\n` +
      `        first  ${attempt(one.first)}\n        second ${attempt(one.second)}`;
  }
  if (one.what && !one.event) return brief(one.what);
  return JSON.stringify(one);
}

/** The page of a run: events, faults, counts, the longest unavailability, violations, the seed. */
export function describe(record, verdict, settings) {
  const { counts, violations, apart, availability } = verdict;
  const seconds = ((record.ended - record.began) / 1000).toFixed(0);
  const heal = record.healed ? `healed in ${((record.healed - record.healing) / 1000).toFixed(1)} s` : 'not healed';
  const out = [
    `seed ${record.seed}: ${verdict.ok ? 'kept' : 'BROKEN'} (${seconds} s, ${heal})`,
    `  settings: ${Object.entries(settings ?? {}).map(([k, v]) => `${k} ${JSON.stringify(v)}`).join(', ')}`,
    `  events ${counts.events}, sendings ${counts.sends}, attempts ${counts.attempts}, effects ${counts.effects}`,
    `  answered: ${pairs(counts.told)}`,
    `  faults: ${pairs(counts.faults)}`,
    `  lost ${violations.lost.length}, doubled ${violations.doubled.length}, two owners ${violations.two_owners.length}, ` +
      `overlapping ${violations.overlapping.length}; apart: store_lost ${apart.store_lost.length}, ` +
      `local ${apart.local.length}, paused ${apart.paused.length}`,
    `  in doubt ${verdict.doubts.count}, dead ${verdict.dead.count}; calm: ${availability.answered} of ` +
      `${availability.sent} answered 2xx; longest unavailability ${verdict.longest_unavailability_ms} ms`,
  ];
  if (counts.stalls.count > 0) {
    out.push(`  the machine stood still ${counts.stalls.count} times, at most ${counts.stalls.longest_ms} ms`);
  }
  for (const note of record.notes) out.push(`  note: ${note}`);
  for (const [name, list] of Object.entries(violations)) {
    if (list.length === 0) continue;
    out.push(`  ${name}: ${list.length}`);
    for (const one of list.slice(0, SHOWN)) out.push(`      ${violation(one)}`);
    if (list.length > SHOWN) out.push(`      and ${list.length - SHOWN} more`);
  }
  return out.join('\n');
}
