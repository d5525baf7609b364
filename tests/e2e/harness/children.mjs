// Child processes the tests start: each is ended by its own id, also when the runner dies early.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { within } from './wait.mjs';

const alive = new Set();

process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Starts a program; `child.ended` resolves to {code, signal}. */
export function start(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  alive.add(child);
  child.ended = once(child, 'exit').then(([code, signal]) => {
    alive.delete(child);
    return { code, signal };
  });
  // A program that cannot be started at all is reported by whoever waits for it.
  child.ended.catch(() => alive.delete(child));
  return child;
}

export function isAlive(child) {
  return alive.has(child);
}

/** Sends the signal and waits for the end. */
export async function end(child, signal, deadline) {
  if (isAlive(child)) child.kill(signal);
  return within(`the end of process ${child.pid} after ${signal}`, child.ended, deadline);
}

/** Calls `line` with each line of the stream. */
export function lines(stream, line) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk) => {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop();
    for (const part of parts) line(part);
  });
  stream.on('end', () => {
    if (rest !== '') line(rest);
  });
}

/** Runs a program to its end: {code, stdout, stderr}. */
export async function run(program, args, options = {}) {
  const child = start(program, args, options);
  let stdout = '';
  let stderr = '';
  const closed = once(child, 'close');
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  try {
    const { code, signal } = await within(`${program} ${args.join(' ')}`, child.ended);
    await closed;
    return { code: code ?? signal, stdout, stderr };
  } finally {
    if (isAlive(child)) child.kill('SIGKILL');
  }
}
