// All of the work (signature, identity, decision, claim and finish in Redis, forwarding, record) beside a blind split, and
// beside the same work in Lua.

import { comparison } from '../lib/compare.mjs';
import { latencyTable, ratioTable, saturationTable, verdict } from '../lib/show.mjs';
import { startHaproxy, startNginxLua, startNginxSplit, startPointsman } from '../lib/servers.mjs';

export const name = 'full';
export const title = 'All of the work';

export const run = ({ quick, say }) =>
  comparison(
    { redis: true },
    [
      async (ledger, redis) => ({ ...(await startPointsman(ledger, { redis })), proof: { judged: true } }),
      (ledger) => startNginxSplit(ledger),
      (ledger) => startHaproxy(ledger),
      (ledger, redis) => startNginxLua(ledger, redis),
    ],
    { quick, say, calls: true },
  );

export const tables = ({ subjects, ratios }) => [saturationTable(subjects), latencyTable(subjects), ratioTable(ratios)];

export const verdicts = ({ subjects, ratios }) => [
  verdict('full work ÷ nginx split, CPU per event', ratios.nginx.median, 1.6, 1.25),
  verdict('full work ÷ nginx + Lua, CPU per event', ratios['nginx + Lua'].median, 0.33, 0.25),
  verdict('system calls per event, full work, 64 connections', subjects.pointsman.calls, 8, 6),
];
