// Puts rows into the journal of an instance that does not run, through pointsman's own journal.

import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { isAlive, start } from './children.mjs';
import { BINARY } from './pointsman.mjs';
import { within } from './wait.mjs';

const FILL = path.join(path.dirname(BINARY), 'tests/unit/journal_fill');

/**
 * Stops the instance, fills its journal, starts it again. `rows`: [{count, id, entity, source, state, reason, side, type,
 * action, status, attempt, head, body, answer, age_s}]; a number is put behind id and entity where count is above 1.
 */
export async function fillJournal(pm, rows) {
  if (!fs.existsSync(FILL)) throw new Error(`there is no ${FILL}: make e2e builds it`);
  await pm.stop();
  fs.mkdirSync(path.join(pm.dir, 'var'), { recursive: true });
  const child = start(FILL, [pm.file], { cwd: pm.dir, stdio: ['pipe', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const closed = once(child, 'close');
  child.stdin.end(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  try {
    const { code } = await within('the journal is filled', child.ended, 120_000);
    await closed;
    if (code !== 0) throw new Error(`journal_fill ended with ${code}: ${stderr}`);
  } finally {
    if (isAlive(child)) child.kill('SIGKILL');
  }
  await pm.start();
}
