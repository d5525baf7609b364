// What a run came to: machine, versions and figures, as JSON in bench/results.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

const FOLDER = 'bench/results';

const said = (command, args, pattern) => {
  try {
    const text = execFileSync('sh', ['-c', '"$@" 2>&1', 'sh', command, ...args], { encoding: 'utf8' });
    return text.match(pattern)?.[1] ?? null;
  } catch {
    return null;
  }
};

const packageVersion = (name) => said('dpkg-query', ['-W', '-f', '${Version}', name], /^(\S+)$/);

export const commit = () => said('git', ['describe', '--always', '--dirty', '--exclude=*'], /^(\S+)/);

export const machine = () => ({
  cpu: cpus()[0].model,
  cores: cpus().length,
  memory_gib: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
});

export const versions = () => ({
  nginx: said('nginx', ['-v'], /nginx\/(\S+)/),
  'lua-nginx-module': packageVersion('libnginx-mod-http-lua'),
  haproxy: said('haproxy', ['-v'], /version (\S+)/),
  redis: said('redis-server', ['--version'], /v=(\S+)/),
  gcc: said('gcc', ['-dumpfullversion'], /^(\S+)/),
});

/** Returns the file's name. `name` keeps apart what was not measured by the same program. */
export function save(result, name = '') {
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, `${result.date}-${result.commit}${name && `-${name}`}.json`);
  writeFileSync(file, `${JSON.stringify(result, null, 1)}\n`);
  return file;
}

/** The newest saved result of a whole run (not QUICK) that has this part, or null. */
export function newestWith(part) {
  let files = [];
  try {
    files = readdirSync(FOLDER).filter((file) => file.endsWith('.json'));
  } catch {
    return null;
  }
  const results = files.map((file) => ({ file, ...JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) }));
  const having = results.filter((result) => !result.quick && result.parts?.[part]);
  having.sort((a, b) => (a.at < b.at ? 1 : -1));
  return having[0] ?? null;
}
