// Judges what an event cost by the committed figures, and says what grew. Pure.

/** Functions of these turn with the time that passes, however few events come. */
export const LOOP = /(^|\/)base\/(loop|wheel|clock)\.c$/;
export const LOOP_NAME = 'pointsman, loop and timers';

/**
 * A figure and what was found may differ by `share` of the figure and `least` more; `atMost`: only upwards. The rest of our
 * own code is nearly the same in every run. A slow or busy machine turns loop and timers more often per event, senders and
 * replies come together or apart by chance, and batches differ from run to run.
 */
const ROOM = {
  instructions: {
    usual: { share: 0.01, least: 200 },
    pointsman: { share: 0.005, least: 200 },
    [LOOP_NAME]: { share: 0, least: 1500, atMost: true },
    'libevent_core-2.1.so.7.0.1': { share: 0, least: 1500, atMost: true },
  },
  calls: {
    usual: { share: 0, least: 0.1 },
    epoll_wait: { share: 0, least: 0.6 },
    futex: { share: 0, least: 3, atMost: true }, // the log's writer sleeps or not, as the machine is busy
  },
  batched: { usual: { share: 0.15, least: 0, atMost: true } },
};
export const KINDS = Object.keys(ROOM);

const UNITS = { instructions: 'instructions', calls: 'calls', batched: 'calls' };
/** Differences that are listed, and the least that one is worth it. */
const LISTED = 15;
const WORTH = { instructions: 15, calls: 0.05, batched: 0.05 };

function per(kind, number) {
  return kind === 'instructions' ? Math.round(number).toLocaleString('en') : number.toFixed(2);
}

/** What `functions` or calls add up to: instructions by object, calls by name, those of batched runs all in one. */
export function sums(kind, costs) {
  if (kind === 'calls') return { ...costs };
  const found = {};
  for (const [name, count] of Object.entries(costs)) {
    const of = kind === 'batched' ? 'all' : name.slice(0, name.indexOf(':'));
    found[of] = (found[of] ?? 0) + count;
  }
  return found;
}

/** [{name, figure, room, atMost, found}] for each sum that is not what its figure allows; an absent figure is 0. */
export function differences(kind, figures, found) {
  const names = [...new Set([...Object.keys(figures), ...Object.keys(found)])];
  return names
    .map((name) => {
      const figure = figures[name] ?? 0;
      const { share, least, atMost = false } = ROOM[kind][name] ?? ROOM[kind].usual;
      return { name, figure, found: found[name] ?? 0, room: figure * share + least, atMost };
    })
    .filter((one) => (one.atMost ? one.found - one.figure : Math.abs(one.found - one.figure)) > one.room);
}

/** The functions or calls that changed most, worst first, as lines. `floor`: what the profile leaves out. */
function changes(kind, profile, costs, floor) {
  const names = [...new Set([...Object.keys(profile), ...Object.keys(costs)])];
  return names
    .map((name) => ({ name, before: profile[name], now: costs[name] ?? 0 }))
    .map((one) => ({ ...one, more: one.now - (one.before ?? Math.min(floor, one.now)) }))
    .filter(({ more }) => Math.abs(more) >= WORTH[kind])
    .sort((x, y) => Math.abs(y.more) - Math.abs(x.more))
    .slice(0, LISTED)
    .map(({ name, before, now, more }) => {
      const was = before !== undefined ? per(kind, before) : floor > 0 ? `under ${per(kind, floor)}` : 'none';
      return `    ${(more > 0 ? '+' : '') + per(kind, more)}`.padEnd(14) + ` ${was} -> ${per(kind, now)}  ${name}`;
    });
}

/** Lines for people about one case that is not as its figures say; none: all is well. */
export function judge({ name, kind, figures, profile = {}, costs, floor = 0 }) {
  const unit = UNITS[kind];
  if (figures === undefined) return [`${name}: there are no figures of ${unit}; make cost UPDATE=1 records them`];
  const wrong = differences(kind, figures, sums(kind, costs));
  if (wrong.length === 0) return [];
  const lines = wrong.map((one) => {
    const allowed = one.atMost ? `at most ${per(kind, one.figure + one.room)}`
      : `${per(kind, one.figure)} ± ${per(kind, one.room)}`;
    const how = one.found > one.figure ? 'more' : 'fewer';
    return `${name}: ${how} ${unit} per event of ${one.name}: ${per(kind, one.found)}, allowed are ${allowed}`;
  });
  const grown = changes(kind, profile, costs, floor);
  return grown.length > 0 ? [...lines, `  what changed most (own cost per event, before -> now):`, ...grown] : lines;
}
