// The one clock of a run: CLOCK_MONOTONIC in milliseconds, the same in every process of the machine.

export const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A process that was not scheduled for longer stood still. */
const STALL_MS = 150;
const TICK_MS = 20;

/** Calls `stalled(from, to)` whenever this process was not scheduled for a while; answers the function that ends it. */
export function watchStalls(stalled) {
  let last = now();
  const timer = setInterval(() => {
    const t = now();
    if (t - last > STALL_MS) stalled(last, t);
    last = t;
  }, TICK_MS);
  return () => clearInterval(timer);
}
