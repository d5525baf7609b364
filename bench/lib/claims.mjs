// Claims and finishes by build/bench/store: Redis and store/ alone, without a worker.

import { numbers } from './figures.mjs';
import { Failure, newFolder, OTHER_CORE, scratch, start } from './processes.mjs';

export const ENTITIES = 2000;

/** `options` are the program's (events, depth); `before`: words before it. What it printed, as numbers. */
export async function claimAndFinish(redis, options, before = []) {
  const all = { port: redis.port, pid: redis.pid, entities: ENTITIES, directory: newFolder(scratch), ...options };
  const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const store = start('store', OTHER_CORE, [...before, 'build/bench/store', ...args], { piped: true });
  let said = '';
  for (const stream of [store.child.stdout, store.child.stderr]) stream.on('data', (chunk) => (said += chunk));
  const { code, signal } = await store.ended;
  if (code !== 0) throw new Failure(`store ${args.join(' ')}: exit ${code ?? signal}: ${said}`);
  return numbers(said);
}
