// pointsman, its peers and Redis: started on free ports, ready when they are given back.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { connects, get, metric } from './http.mjs';
import { freePorts, runLoad, SECRET } from './load.mjs';
import { Failure, newFolder, onlyChild, OTHER_CORE, PROXY_CORE, scratch, start, stop, waitFor } from './processes.mjs';

/** A file of bench/peers with @NAME@ filled in; returns its path in a folder of its own. */
function configure(file, values) {
  const folder = newFolder(scratch);
  const text = readFileSync(join('bench/peers', file), 'utf8').replace(/@([A-Z]+)@/g, (whole, name) => {
    const value = name === 'DIR' ? folder : values[name.toLowerCase()];
    if (value === undefined) throw new Failure(`bench/peers/${file}: nothing is known for ${whole}`);
    return value;
  });
  const path = join(folder, file);
  writeFileSync(path, text);
  return path;
}

/**
 * `durable`: every write is on disk before it is answered, as a journal's; `before`: words before the command, as
 * valgrind's; `program`: another redis-server.
 */
export async function startRedis({ cores = OTHER_CORE, durable = false, folder = newFolder(scratch), ...options } = {}) {
  const { before = [], program = 'redis-server' } = options;
  const [port] = freePorts(1);
  const keep = durable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
  const process = start('redis', cores, [
    ...[...before, program, '--bind', '127.0.0.1', '--port', String(port), '--save', '', '--dir', folder, ...keep],
    ...['--maxmemory-policy', 'noeviction'],
  ]);
  await waitFor('redis-server', process, () => connects(port));
  return { process, port, pid: process.pid, stop: () => stop(process) };
}

/** pointsman's file is bench/peers/pointsman.yaml with these blocks put in as JSON, which YAML contains. */
const blocks = ({ redis, claims = true, mode = 'gradual', signed = true, failure = 'answer', keep = '14d', store = {} }) => ({
  store: JSON.stringify({
    kind: redis ? 'redis' : 'embedded',
    claims,
    ...(redis ? { when_down: 'refuse', redis: { url: `redis://127.0.0.1:${redis.port}/0` } } : {}),
    ...store,
  }).slice(1, -1),
  mode,
  secrets: signed ? JSON.stringify([{ value: SECRET }]) : 'none',
  failure,
  keep,
});

/**
 * One worker. `redis`: from startRedis, else the embedded store; `folder`: of the store and the journal; the rest as
 * in `blocks`. `settle()` comes before anything is measured: a store that was never seen before grants its first claim
 * after two seconds.
 */
export async function startPointsman(ledger, { cores = PROXY_CORE, folder = newFolder(scratch), workers = 1, ...options }) {
  const [port, admin] = freePorts(2);
  const values = { port, admin, workers, folder: join(folder, 'var'), legacy: ledger.legacy, new: ledger.fresh };
  mkdirSync(values.folder);
  const config = configure('pointsman.yaml', { ...values, ...blocks(options) });
  try {
    execFileSync('build/pointsman', ['check', '-c', config], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Failure(`${config} is refused:\n${error.stdout}${error.stderr}`);
  }
  const process = start('pointsman', cores, ['build/pointsman', 'serve', '-c', config], { silent: true });
  await waitFor('pointsman', process, async () => (await get(admin, '/readyz')) !== undefined);
  const pointsman = { name: 'pointsman', process, port, admin, pid: process.pid, cpu: { proxy: process.pid } };
  const unsigned = options.signed === false;
  pointsman.settle = () => options.claims === false || runLoad(port, { count: 2000, seconds: 20, unsigned });
  pointsman.metric = (name) => metric(admin, name);
  pointsman.stop = () => stop(process);
  return pointsman;
}

async function startNginx(name, file, values, { cores = PROXY_CORE } = {}) {
  const [port] = freePorts(1);
  const config = configure(file, { port, secret: SECRET, ...values });
  const process = start(name, cores, ['nginx', '-c', config, '-e', `${config}.log`]);
  await waitFor(name, process, () => connects(port));
  const worker = await onlyChild(process);
  return { name, process, port, pid: worker, cpu: { proxy: worker }, stop: () => stop(process) };
}

const sides = (ledger) => ({ legacy: ledger.legacy, new: ledger.fresh });

export const startNginxSplit = (ledger, at) => startNginx('nginx', 'nginx-split.conf', sides(ledger), at);
export const startNginxRefusing = (ledger, at) => startNginx('nginx limit_req', 'nginx-refuse.conf', { legacy: ledger.legacy }, at);
export const startNginxMirror = (ledger, at) => startNginx('nginx mirror', 'nginx-mirror.conf', sides(ledger), at);
export const startNginxLua = (ledger, redis, at) =>
  startNginx('nginx + Lua', 'nginx-lua.conf', { ...sides(ledger), redis: redis.port }, at);
export const startNginxLuaAccept = (redis, at) =>
  startNginx('nginx + Lua', 'nginx-lua-accept.conf', { redis: redis.port }, at);

export async function startHaproxy(ledger, { cores = PROXY_CORE } = {}) {
  const [port] = freePorts(1);
  const config = configure('haproxy.cfg', { port, ...sides(ledger) });
  const process = start('haproxy', cores, ['haproxy', '-db', '-f', config]);
  await waitFor('HAProxy', process, () => connects(port));
  return { name: 'HAProxy', process, port, pid: process.pid, cpu: { proxy: process.pid }, stop: () => stop(process) };
}
