// Waiting for conditions with deadlines; no test sleeps for a fixed time.

import { setTimeout as pause } from 'node:timers/promises';

/** Sanitizer builds and slow machines: POINTSMAN_E2E_SLOW=4 makes every deadline four times as long. */
export const SLOW = Number(process.env.POINTSMAN_E2E_SLOW ?? 1);

/** Milliseconds anything may take that should happen "soon". */
export const DEADLINE = 15_000 * SLOW;

/** Thrown by a condition that can no longer come true. */
export class Hopeless extends Error {}

/**
 * Polls `condition` until it answers something truthy, which is returned; it may throw while things are not ready.
 * After the deadline the last error or a sentence with `what` is thrown; a Hopeless one ends the waiting at once.
 */
export async function until(what, condition, { deadline = DEADLINE, every = 15 } = {}) {
  const end = performance.now() + deadline;
  let last;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = undefined;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`after ${deadline} ms still not: ${what}${last ? ` (${last.message})` : ''}`);
    }
    await pause(every);
  }
}

/** The promise's value, or an error that names `what` after the deadline. */
export async function within(what, promise, deadline = DEADLINE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${deadline} ms still not: ${what}`)), deadline);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again and again for `ms`: the condition must hold all the time ("nothing arrives"). */
export async function stays(what, condition, ms = 300) {
  const end = performance.now() + ms;
  do {
    if (!(await condition())) throw new Error(`did not stay: ${what}`);
    await pause(20);
  } while (performance.now() < end);
}

/** Runs `work` for each item, at most `limit` at a time, and returns the results in order. */
export async function each(items, limit, work) {
  const list = [...items];
  const results = new Array(list.length);
  let next = 0;
  async function lane() {
    while (next < list.length) {
      const i = next++;
      results[i] = await work(list[i], i);
    }
  }
  await Promise.all(Array.from({ length: Math.min(limit, list.length) }, lane));
  return results;
}

export { pause };
