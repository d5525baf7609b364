// Both backends get each event: parallel mode, with claims in Redis, beside nginx' mirror.

import { comparison } from '../lib/compare.mjs';
import { startNginxMirror, startPointsman } from '../lib/servers.mjs';
import { latencyTable, ratioTable, saturationTable, verdict } from '../lib/show.mjs';

export const name = 'parallel';
export const title = 'Parallel mode';

const proof = { parallel: true };

export const run = ({ quick, say }) =>
  comparison(
    { redis: true, ledger: {} },
    [
      async (ledger, redis) => ({ ...(await startPointsman(ledger, { redis, mode: 'parallel' })), proof }),
      async (ledger) => ({ ...(await startNginxMirror(ledger)), proof }),
    ],
    { quick, say, shares: quick ? [] : undefined },
  );

export const tables = ({ subjects, ratios }) => [saturationTable(subjects), latencyTable(subjects), ratioTable(ratios)];

export const verdicts = ({ ratios }) => [
  verdict('parallel, without comparison ÷ nginx mirror', ratios['nginx mirror'].median, 0.6, 0.5),
];
