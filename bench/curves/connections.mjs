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
import { figures, onStage, resident, usage } from './stage.mjs';

const QUICK = Boolean(process.env.QUICK);
const SIZES = [100, 1000, 10_000];
const RATE = 2000;
const SECONDS = QUICK ? 2 : 6;
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
  const load = s.load({ rate: RATE, warmUp: 1000, seconds: SECONDS, cpu: { pointsman: s.pid }, ...options });
  return { ...figures(await load.report(), ['pointsman']), rss: usage(s.pid).rss };
}

export async function connections() {
  const out = [];
  for (const size of SIZES) {
    out.push(await onStage({}, async (s) => {
      await s.redis();
      await s.backends();
      await s.pointsman({ config: ROOM });
      return {
        size,
        idle: await idle(s, size),
        active: await active(s, { connections: size }),
        beside: await active(s, { connections: 64, idle: size }),
      };
    }));
  }
  return out;
}
