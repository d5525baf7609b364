// 100, 1,000 and 10,000 connections of senders: the memory of idle ones, and latency when all of them are used.
//
// Idle ones are opened here: fresh (never used), then used (each sent one event). Memory is the process's resident set
// (/proc/PID/smaps_rollup) before and after, divided by their number; warmed up before, so that pools and caches are there.

import { createHmac } from 'node:crypto';
import net from 'node:net';
import { each } from '../../tests/e2e/harness/wait.mjs';
import { metric } from '../lib/http.mjs';
import { SECRET } from '../lib/load.mjs';
import { waitFor } from '../lib/processes.mjs';
import { verdict } from '../lib/show.mjs';
import { figures, onStage, resident, usage } from './stage.mjs';

export const name = 'connections';
export const title = 'Connections of senders';

const SIZES = [100, 1000, 10_000];
const RATE = 2000;
const ROOM = { limits: { connections: 11_000 }, backends: { legacy: { max_in_flight: 10_000 }, new: { max_in_flight: 10_000 } } };
const BODY = JSON.stringify({ action: 'opened', issue: { number: 7 }, repository: { full_name: 'octocat/Hello-World' }, pad: 'x'.repeat(11_000) });
const SIGNATURE = `sha256=${createHmac('sha256', SECRET).update(BODY).digest('hex')}`;

function open(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** One event over the connection, answered. */
function use(socket, id) {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('data', (data) => (data.toString('latin1', 9, 12) === '200' ? resolve() : reject(new Error(String(data)))));
    socket.write(`POST /webhooks/github HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-GitHub-Event: issues\r\n` +
      `X-GitHub-Delivery: ${id}\r\nX-Hub-Signature-256: ${SIGNATURE}\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`);
  });
}

function settled(s, n) {
  return waitFor(`${n} connections are open`, s.instance, async () => (await metric(s.admin, 'pointsman_connections')) === n);
}

/**
 * Resident memory with n idle connections, never used and used; and what one takes: from a fifth of them to all, so
 * that room which the heap had left does not count as theirs.
 */
async function idle(s, n) {
  await s.load({ rate: RATE, seconds: 2 }).report();
  await settled(s, 0);
  const opened = (count) => each(Array(count), 64, () => open(s.port));
  const before = resident(s.pid);
  const sockets = await opened(n / 5);
  await settled(s, n / 5);
  const some = resident(s.pid);
  sockets.push(...await opened(n - n / 5));
  await settled(s, n);
  const fresh = resident(s.pid);
  await each(sockets, 16, (socket, i) => use(socket, `idle-${n}-${i}`));
  const used = resident(s.pid);
  for (const socket of sockets) socket.destroy();
  await settled(s, 0);
  return { before, fresh, used, after: resident(s.pid), each_bytes: (fresh - some) / (n - n / 5) };
}

/** Latency and CPU at the same rate, over all connections; or over 64 beside `idle` others. */
async function active(s, options) {
  const load = s.load({ rate: RATE, warmUp: 1000, cpu: { pointsman: s.pid }, ...options });
  return { ...figures(await load.report(), ['pointsman']), rss: usage(s.pid).rss };
}

async function measure(s, size, seconds) {
  await s.redis();
  await s.backends();
  await s.pointsman({ config: ROOM });
  return {
    size,
    idle: await idle(s, size),
    active: await active(s, { seconds, connections: size }),
    beside: await active(s, { seconds, connections: 64, idle: size }),
  };
}

export async function run({ quick, say }) {
  const rows = [];
  for (const size of SIZES) {
    say(`${size} connections`);
    rows.push(await onStage({}, (s) => measure(s, size, quick ? 2 : 6)));
  }
  return { rate: RATE, rows };
}

const mib = (bytes) => bytes / 2 ** 20;
const ms = (us) => us / 1000;

export const tables = ({ rate, rows }) => [
  [
    ['resident MiB', 'none', 'idle, never used', 'idle, used once', 'closed again', 'bytes each'],
    rows.map(({ size, idle: m }) => [`${size} connections`, mib(m.before), mib(m.fresh), mib(m.used), mib(m.after), size >= 1e4 ? m.each_bytes : null]),
  ],
  [
    [`${rate} events/s over`, 'p50 ms', 'p99 ms', 'p99.9 ms', 'CPU µs/event', 'resident MiB'],
    rows.flatMap(({ size, active: a, beside: b }) => [[`${size} connections`, a], [`64, beside ${size} idle ones`, b]])
      .map(([what, m]) => [what, ms(m.p50_us), ms(m.p99_us), ms(m.p999_us), m.pointsman_us, mib(m.rss)]),
  ],
];

export const verdicts = ({ rows }) => [verdict('idle keep-alive connection, bytes of ours', Math.round(rows.at(-1).idle.each_bytes), 1024, 512)];

const by = (rows, of) => rows.map((row) => [row.size, of(row)]);

export const pictures = ({ rate, rows }) => ({
  'connections-latency': {
    title: `Latency by connections, ${rate} events/s`,
    x: { label: 'connections', kind: 'log' }, y: { label: 'latency, ms', kind: 'log' },
    series: [
      { name: 'p50, all in use', points: by(rows, (row) => ms(row.active.p50_us)) },
      { name: 'p99, all in use', points: by(rows, (row) => ms(row.active.p99_us)) },
      { name: 'p99, all idle but 64', points: by(rows, (row) => ms(row.beside.p99_us)) },
    ],
  },
  'connections-memory': {
    title: 'Memory by connections',
    x: { label: 'connections', kind: 'log' }, y: { label: 'resident, MiB' },
    series: [
      { name: 'idle', points: by(rows, (row) => mib(row.idle.used)) },
      { name: 'all in use', points: by(rows, (row) => mib(row.active.rss)) },
    ],
  },
});
