// The one clock of a run: CLOCK_MONOTONIC in milliseconds, the same in every process of the machine.

export const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
