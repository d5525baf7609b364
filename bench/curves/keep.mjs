// Ends a measurement: saves what it found (SAVE=1), says what was not kept, and leaves with the exit code for it.

import { Failure, stopAll } from '../lib/processes.mjs';
import { commit, machine, save, versions } from '../lib/result.mjs';

/** `work` gives {parts: {name: data}, failed: [text]}. Exit codes: 0, 1 where something was not kept, 2. */
export async function keep(name, work) {
  process.chdir(new URL('../..', import.meta.url).pathname);
  const at = new Date().toISOString();
  try {
    const { parts, failed = [] } = await work();
    if (process.env.SAVE) {
      const file = save({ date: at.slice(0, 10), at, commit: commit(), machine: machine(), versions: versions(), parts }, name);
      console.log(`saved in ${file}`);
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
