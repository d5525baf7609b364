// Processes and folders of a run: started on chosen cores, gone when it ends, however it ends.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the reader of the terminal is told in one line, without a stack. */
export class Failure extends Error {}

export const PROXY_CORE = '0';
export const OTHER_CORE = '1';
export const ALL_CORES = `0-${cpus().length - 1}`;

const running = new Set();
const folders = [];

/** A scratch folder, in memory or on disk as the system has its temporary files. */
export const scratch = newFolder(tmpdir());

/** `parent` is for what must be on the disk of the checkout. */
export function newFolder(parent) {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'pointsman-bench.'));
  folders.push(folder);
  return folder;
}

/**
 * Starts a command on the cores; its output goes to a file, or through a pipe to the caller (`piped`). It gets SIGTERM
 * when this process ends without having ended it.
 */
export function start(name, cores, command, { piped = false, env = {}, silent = false } = {}) {
  const log = join(scratch, `${name}.log`);
  const out = openSync(silent ? '/dev/null' : log, 'a');
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', 'taskset', '-c', cores, ...command], {
    stdio: ['ignore', piped ? 'pipe' : out, piped ? 'pipe' : out],
    env: { ...process.env, ...env },
  });
  closeSync(out);
  const ended = new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: 127, error }));
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const started = { name, pid: child.pid, child, log, ended, over: false };
  running.add(started);
  ended.then(() => {
    started.over = true;
    running.delete(started);
  });
  return started;
}

/** SIGTERM, and SIGKILL for what is still there after ten seconds. */
export async function stop(...processes) {
  await Promise.all(
    processes.filter(Boolean).map(async (one) => {
      if (one.over) return;
      one.child.kill('SIGTERM');
      const late = setTimeout(() => one.child.kill('SIGKILL'), 10_000);
      await one.ended;
      clearTimeout(late);
    }),
  );
}

export const stopAll = () => stop(...running);

/** The pid of the only worker of a process that forks one. */
export async function onlyChild(parent) {
  let child = '';
  await waitFor(`${parent.name}'s worker`, parent, () => {
    child = readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8').trim().split(' ')[0];
    return child !== '';
  });
  return Number(child);
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Until `test` is true (it may throw meanwhile); fails when the process is gone or time is up. */
export async function waitFor(what, owner, test, seconds = 20) {
  const until = Date.now() + seconds * 1000;
  for (;;) {
    try {
      if (await test()) return;
    } catch {
      // not yet
    }
    if (owner?.over || Date.now() > until) {
      const said = owner ? readFileSync(owner.log, 'utf8').trim().split('\n').slice(-20).join('\n') : '';
      throw new Failure(`${what}: ${owner?.over ? 'it ended' : `not within ${seconds} s`}\n${said}`);
    }
    await pause(20);
  }
}

process.on('exit', () => {
  for (const one of running) one.child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => stopAll().then(() => process.exit(130)));
