// The process of both backends: one loop, one clock, one ledger file that survives its end.
// argv: the ledger file, an address, the ports of legacy and new, the seed. Commands come over the IPC channel.

import fs from 'node:fs';
import { now, watchStalls } from './clock.mjs';
import { LedgerBackend } from './ledger_backend.mjs';
import { Rng } from './rng.mjs';

const [file, address, legacyPort, newPort, seed] = process.argv.slice(2);
const fd = fs.openSync(file, 'a');
const boot = process.pid;
let count = 0;

function write(line) {
  fs.writeSync(fd, `${JSON.stringify(line)}\n`);
}
write.serial = () => `${boot}.${++count}`;

// After a standstill (SIGSTOP, a starved machine) all that piled up is looked at before anything is worked on.
const TICK_MS = 20;
const STALL_MS = 250;
const SETTLE_MS = 120;
let ticked = now();
let quietUntil = 0;
setInterval(() => {
  stalled();
  ticked = now();
}, TICK_MS).unref();
function stalled() {
  const t = now();
  if (t - ticked > STALL_MS) quietUntil = t + SETTLE_MS;
  return quietUntil > t ? quietUntil - t + 1 : 0;
}

const rng = new Rng(seed);
const backends = {
  legacy: new LedgerBackend({ side: 'legacy', address, port: Number(legacyPort), rng: rng.fork('legacy'), write, stalled }),
  new: new LedgerBackend({ side: 'new', address, port: Number(newPort), rng: rng.fork('new'), write, stalled }),
};

write({ t: now(), k: 'boot', pid: boot });
watchStalls((from, to) => write({ t: to, k: 'stall', from }));
process.on('message', async ({ id, side, call, args }) => {
  let error;
  try {
    await backends[side][call](...args);
  } catch (caught) {
    error = caught.message;
  }
  process.send({ id, error });
});
process.on('disconnect', () => process.exit(0));
for (const backend of Object.values(backends)) await backend.listen();
process.send({ ready: true });
