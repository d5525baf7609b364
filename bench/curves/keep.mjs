// Ends a measurement: saves what it found (SAVE=1), says what was not kept, and leaves with the exit code for it.

import { loadAverage } from '../lib/cpu.mjs';
import { Failure, stopAll } from '../lib/processes.mjs';
import { commit, machine, save, versions } from '../lib/result.mjs';

/** `work(quick)` gives {data, failed: [text]}. Exit codes: 0, 1 where something was not kept, 2. */
export async function keep(name, work) {
  process.chdir(new URL('../..', import.meta.url).pathname);
  const at = new Date().toISOString();
  const quick = Boolean(process.env.QUICK);
  const before = loadAverage();
  try {
    const { data, failed } = await work(quick);
    if (process.env.SAVE) {
      const about = { date: at.slice(0, 10), at, commit: commit(), quick, machine: machine(), versions: versions() };
      console.log(`saved in ${save({ ...about, load_average: [before, loadAverage()], parts: { [name]: data } }, name)}`);
    }
    if (failed.length > 0) console.error(`${name}: not kept: ${failed.join('; ')}`);
    process.exitCode = failed.length > 0 ? 1 : 0;
  } catch (error) {
    console.error(`${name}: ${error instanceof Failure ? error.message : error.stack}`);
    process.exitCode = 2;
  } finally {
    await stopAll();
  }
}
