// The parts of make bench, in the order they run.
//
// A part has a name (for ONLY), a title, run({quick, say}) → data for JSON, tables(data) → [[head, rows]] for terminal and
// docs, and verdicts(data) → what it says of the budgets (lib/show.mjs).

import * as bodies from './parts/bodies.mjs';
import * as drain from './parts/drain.mjs';
import * as durable from './parts/durable.mjs';
import * as forward from './parts/forward.mjs';
import * as full from './parts/full.mjs';
import * as parallel from './parts/parallel.mjs';
import * as redis from './parts/redis.mjs';
import * as stores from './parts/stores.mjs';

export const parts = [full, forward, parallel, bodies, redis, stores, durable, drain];
