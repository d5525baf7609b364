// Claim and finish alone, as a worker sends them: what an event costs in Redis and in its client, by how many are under way.

import { claimAndFinish, ENTITIES } from '../lib/claims.mjs';
import { median } from '../lib/figures.mjs';
import { PROXY_CORE } from '../lib/processes.mjs';
import { startRedis } from '../lib/servers.mjs';
import { spread, verdict } from '../lib/show.mjs';

export const name = 'redis';
export const title = 'Claim and finish in Redis';

const PIPELINED = 16;
const DEPTHS = { 1: 20_000, 16: 80_000, 64: 80_000 }; // events of a round

function summary(depth, rounds) {
  const of = (key) => rounds.map((one) => one[key]);
  const [redis, own] = [of('redis_us'), of('own_us')];
  return {
    ...{ depth: Number(depth), events_s: median(of('events_s')), others: of('others') },
    ...{ redis_us: median(redis), redis_us_range: [Math.min(...redis), Math.max(...redis)], own_us: median(own) },
  };
}

export async function run({ quick, say }) {
  const count = quick ? 1 : 5;
  const redis = await startRedis({ cores: PROXY_CORE });
  await claimAndFinish(redis, { events: ENTITIES });
  const rounds = Object.fromEntries(Object.keys(DEPTHS).map((depth) => [depth, []]));
  for (let round = 1; round <= count; round++) {
    say(`round ${round} of ${count}`);
    for (const [depth, events] of Object.entries(DEPTHS))
      rounds[depth].push(await claimAndFinish(redis, { depth, events: quick ? events / 4 : events }));
  }
  await redis.stop();
  return { rounds: count, depths: Object.entries(rounds).map(([depth, all]) => summary(depth, all)) };
}

export const tables = ({ depths }) => [
  [
    ['at a time', 'Redis CPU µs/event', 'rounds', 'client CPU µs/event', 'events/s'],
    depths.map((d) => [d.depth, d.redis_us, spread(d.redis_us_range), d.own_us, Math.round(d.events_s)]),
  ],
];

export const verdicts = ({ depths }) => [
  verdict(
    `Redis CPU µs per event, claim and finish, ${PIPELINED} at a time`,
    depths.find(({ depth }) => depth === PIPELINED).redis_us,
    ...[25, 15],
  ),
];
