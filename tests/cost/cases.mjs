// What is measured: fixed events in a fixed order, against real backends and a real Redis.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Backend } from '../e2e/harness/backend.mjs';
import { delivery, PATH, SECRET } from '../e2e/harness/github.mjs';
import { RawConnection, requestBytes } from '../e2e/harness/http.mjs';
import { Redis } from '../e2e/harness/redis.mjs';
import { each, until } from '../e2e/harness/wait.mjs';
import { merge } from '../e2e/harness/yaml.mjs';

const TEMPLATE = fs.readFileSync(new URL('../../bench/payloads/issues.opened.json', import.meta.url), 'utf8');
/** Until pools, caches and lazily bound symbols are as they stay. */
const WARM_UP = 40;

/** An 11 KB delivery as bytes; all have the same length. */
async function event(number, host) {
  const payload = JSON.stringify(JSON.parse(TEMPLATE.replaceAll('{{number}}', String(10_000 + number))));
  const id = `5eb63bbb-e01e-4eed-93cb-${String(number).padStart(12, '0')}`;
  const { headers, body } = await delivery('issues', payload, { id });
  return requestBytes('POST', PATH, { Host: host, ...headers }, body);
}

/** One after the other, each when all is done for the one before, so that nothing is batched by luck. */
const ONE = { events: 100, connections: 1, kinds: ['instructions', 'calls'] };

/**
 * `lines`: what the log says when an event is over; `numbers`: which event is the n-th; `shadowLast`: new answers when all
 * is done at legacy.
 */
export const CASES = {
  full: { ...ONE },
  duplicate: { ...ONE, numbers: () => 1 },
  parallel: { ...ONE, config: { rollout: { mode: 'parallel' } }, lines: ['decision', 'shadow'], shadowLast: true },
  forward: { ...ONE, config: { store: { claims: false }, sources: { secrets: 'none' } } },
  'full, 64 connections': { events: 2000, connections: 64, kinds: ['batched'] },
};

function configuration({ config = {} }, redis, legacy, neu) {
  const usual = {
    listeners: [{ address: '127.0.0.1:0' }],
    admin: { address: '127.0.0.1:0' },
    workers: 1,
    store: { kind: 'redis', directory: 'var', when_down: 'refuse', redis: { url: redis.url } },
    // Nothing may be opened anew in mid-run.
    backends: { legacy: { url: legacy.url, idle: '1h' }, new: { url: neu.url, idle: '1h' } },
    rollout: { mode: 'gradual', percentage: 25 },
    sources: { path: PATH, provider: 'github', secrets: [{ value: SECRET }], on_failure: 'answer', deadline: '60s' },
  };
  const complete = merge(usual, config);
  return { ...complete, sources: [complete.sources] };
}

/** Each event is one write, so that it is not by chance read in two parts. */
async function send(pm, connections, { lines = ['decision'], shadowLast }, neu, events) {
  const before = Object.fromEntries(lines.map((msg) => [msg, pm.logged(msg).length]));
  const settled = (count, which = lines) => until(`the log tells of ${count} events`, () =>
    which.every((msg) => pm.logged(msg).length >= before[msg] + count), { every: 1 });
  let next = 0;
  await each(connections, connections.length, async (connection) => {
    while (next < events.length) {
      const number = next++;
      if (shadowLast) neu.hold();
      await connection.write(events[number]);
      const { status, text } = await connection.response();
      if (status !== 200) throw new Error(`event ${number} was answered ${status}: ${text}`);
      if (shadowLast) await settled(next, ['decision']);
      neu.release();
      if (connections.length === 1) await settled(next);
    }
  });
  await settled(events.length);
}

/** Ends all in the reverse order, also when one of them cannot be ended; returns the first error. */
async function endAll(ends) {
  let first;
  for (const one of ends.reverse()) await one.stop().catch((error) => (first ??= error));
  return first;
}

async function run(its, pm, neu) {
  const { numbers = (n) => n } = its;
  const make = (from, count) =>
    Promise.all(Array.from({ length: count }, (_, i) => event(numbers(from + i), pm.address)));
  const warm = await make(0, WARM_UP + 4 * its.connections);
  const counted = await make(10_000, its.events);
  const connections = [];
  for (let i = 0; i < its.connections; i++) connections.push(await pm.connect());
  await send(pm, connections, its, neu, warm);
  await pm.begin();
  await send(pm, connections, its, neu, counted);
  const result = await pm.take();
  for (const connection of connections) connection.destroy();
  return result;
}

/** Runs one case under `Meter`: {worker: [[name, count]], others} for all its events. */
export async function measure(name, Meter) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pointsman-cost-'));
  const ends = [];
  let result;
  let wrong;
  try {
    const redis = await Redis.start(dir);
    ends.push(redis);
    const answer = { body: { status: 'ok' } };
    const legacy = await Backend.start({ name: 'legacy', answer });
    const neu = await Backend.start({ name: 'new', answer });
    ends.push(legacy, neu);
    const config = configuration(CASES[name], redis, legacy, neu);
    const pm = new Meter({ name, dir: path.join(dir, 'pointsman'), config });
    ends.push(pm);
    await pm.start();
    result = await run(CASES[name], pm, neu);
    if (pm.complaints().length > 0) throw new Error(pm.complaints().join('\n'));
  } catch (error) {
    wrong = error;
  }
  wrong = [wrong, await endAll(ends)].find((error) => error);
  fs.rmSync(dir, { recursive: true, force: true });
  if (wrong) throw new Error(`${name} (${Meter.name}): ${wrong.message}`);
  return result;
}
