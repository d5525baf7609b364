// Forwarding alone: nothing verified, nothing claimed. The identity is still found, for the split, and each event logged.

import { comparison } from '../lib/compare.mjs';
import { startHaproxy, startNginxSplit, startPointsman } from '../lib/servers.mjs';
import { latencyTable, ratioTable, saturationTable, verdict } from '../lib/show.mjs';

export const name = 'forward';
export const title = 'Forwarding alone';

export const run = ({ quick, say }) =>
  comparison(
    {},
    [
      async (ledger) => ({
        ...(await startPointsman(ledger, { claims: false, signed: false })),
        proof: { judged: true },
      }),
      (ledger) => startNginxSplit(ledger),
      (ledger) => startHaproxy(ledger),
    ],
    { quick, say, calls: true, shares: quick ? [] : undefined, load: { unsigned: true } },
  );

export const tables = ({ subjects, ratios }) => [saturationTable(subjects), latencyTable(subjects), ratioTable(ratios)];

export const verdicts = ({ ratios }) => [
  verdict('forwarding alone ÷ nginx split, CPU per event', ratios.nginx.median, 1.0, 0.85),
];
