// Claims in the embedded store beside claims in a Redis on loopback.

import { comparison } from '../lib/compare.mjs';
import { startPointsman } from '../lib/servers.mjs';
import { latencyTable, saturationTable } from '../lib/show.mjs';

export const name = 'stores';
export const title = 'Embedded store and Redis';

const named = (name, one) => ({ ...one, name, proof: { judged: true } });

export const run = ({ quick, say }) =>
  comparison(
    { redis: true },
    [
      async (ledger) => named('embedded', await startPointsman(ledger, {})),
      async (ledger, redis) => named('redis', await startPointsman(ledger, { redis })),
    ],
    { quick, say, shares: quick ? [] : undefined },
  );

export const tables = ({ subjects }) => [saturationTable(subjects), latencyTable(subjects)];

export const verdicts = () => [];
