// Bodies from small to the largest GitHub sends: CPU per event at saturation, beside nginx with and without Lua.

import { medians, ratio, rounds, withSubjects } from '../lib/compare.mjs';
import { startNginxLua, startNginxSplit, startPointsman } from '../lib/servers.mjs';

export const name = 'bodies';
export const title = 'Small and large bodies';

const KIB = 1024;
const SIZES = [
  { body: KIB },
  { body: 11 * KIB },
  { body: KIB * KIB, connections: 16 },
  { body: 25 * KIB * KIB, connections: 4, entities: 8, count: 8, seconds: 120 }, // a few, not a time
];

export const run = ({ quick, say }) =>
  withSubjects(
    { redis: true },
    [
      async (ledger, redis) => ({ ...(await startPointsman(ledger, { redis })), proof: { judged: true } }),
      (ledger) => startNginxSplit(ledger),
      (ledger, redis) => startNginxLua(ledger, redis),
    ],
    async (subjects, ledger, redis) => {
      const sizes = [];
      const [count, seconds] = quick ? [1, 1] : [5, 2];
      for (const load of quick ? [SIZES[0], SIZES[2]] : SIZES) {
        const say_ = (what) => say(`${load.body / KIB} KiB: ${what}`);
        const figures = await rounds(subjects, ledger, redis, { count, seconds, say: say_, load });
        const summary = Object.fromEntries(subjects.map(({ name }) => [name, medians(figures[name])]));
        const ratios = { nginx: ratio(figures.pointsman, figures.nginx) };
        ratios['nginx + Lua'] = ratio(figures.pointsman, figures['nginx + Lua']);
        sizes.push({ ...load, subjects: summary, ratios });
      }
      return { rounds: count, seconds, sizes };
    },
  );

const size = (bytes) => (bytes < KIB * KIB ? `${bytes / KIB} KiB` : `${bytes / KIB / KIB} MiB`);

export const tables = ({ sizes }) => [
  [
    ['body', 'connections', 'pointsman µs/event', 'nginx', 'nginx + Lua', '÷ nginx', '÷ nginx + Lua', 'pointsman events/s'],
    sizes.map(({ body, connections = 64, subjects, ratios }) => [
      ...[size(body), connections, ...['pointsman', 'nginx', 'nginx + Lua'].map((name) => subjects[name].cpu_us)],
      ...[ratios.nginx.median, ratios['nginx + Lua'].median, subjects.pointsman.events_s],
    ]),
  ],
];

export const verdicts = () => [];
