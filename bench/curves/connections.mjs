// 100, 1,000 and 10,000 connections of senders: the memory of idle ones, and latency when all of them are used.
//
// Idle ones are opened here: fresh (never used), then used (each sent one event). Memory is the process's resident set
// (/proc/PID/smaps_rollup) before and after, divided by their number; warmed up before, so that pools and caches are there.

import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { each, until } from '../../tests/e2e/harness/wait.mjs';
import { SECRET, Stage, usage } from './stage.mjs';

const QUICK = Boolean(process.env.QUICK);
const SIZES = [100, 1000, 10_000];
const RATE = 3000;
const SECONDS = QUICK ? 2 : 6;
const BODY = JSON.stringify({ action: 'opened', issue: { number: 7 }, repository: { full_name: 'octocat/Hello-World' }, pad: 'x'.repeat(11_000) });
const SIGNATURE = `sha256=${createHmac('sha256', SECRET).update(BODY).digest('hex')}`;

function resident(pid) {
  return Number(/^Rss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024;
}

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

async function connected(s) {
  const page = (await s.ask('GET', '/metrics')).text;
  return Number(/^pointsman_connections\S* (\d+)/m.exec(page)[1]);
}

/** Bytes per idle connection: never used, and used once. */
async function idle(s, n) {
  await s.load({ connections: 64, rate: RATE, seconds: 2 }).ended;
  await until('the load is gone', async () => (await connected(s)) === 0);
  const before = resident(s.pid);
  const sockets = await each(Array(n), 64, () => open(s.port));
  await until('all are accepted', async () => (await connected(s)) === n);
  const fresh = resident(s.pid);
  await each(sockets, 16, (socket, i) => use(socket, `idle-${n}-${i}`));
  const used = resident(s.pid);
  for (const socket of sockets) socket.destroy();
  await until('all are closed', async () => (await connected(s)) === 0);
  return { fresh_bytes: (fresh - before) / n, used_bytes: (used - before) / n, left_bytes: resident(s.pid) - before };
}

/** Latency and CPU at the same rate, spread over all connections; or over 64 beside `idle` others. */
async function active(s, options) {
  const run = await s.load({ rate: RATE, warmUp: 1000, seconds: SECONDS, cpu: `pointsman=${s.pid}`, ...options }).ended;
  const { p50, p99, p999 } = run.latency_us;
  return { p50_us: p50, p99_us: p99, p999_us: p999, cpu_us: run.cpu_us.pointsman / run.answers.ok, ...usage(s.pid) };
}

export async function connections() {
  const out = [];
  for (const size of SIZES) {
    const s = new Stage('connections');
    try {
      await s.redis();
      await s.backends();
      await s.pointsman({ config: { limits: { connections: 11_000 } } });
      out.push({ size, idle: await idle(s, size), active: await active(s, { connections: size }), beside: await active(s, { connections: 64, idle: size }) });
      console.error(JSON.stringify(out.at(-1)));
    } finally {
      await s.close();
    }
  }
  return out;
}
