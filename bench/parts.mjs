// The parts of make bench and make bench-growth, in the order they run.
//
// A part has a name (for ONLY), a title, run({quick, say}) → data for JSON, tables(data) → [[head, rows]] for terminal and
// docs, and verdicts(data) → what it says of the budgets (lib/show.mjs); those
// of growth have pictures(data) → {name of a file: chart (curves/svg.mjs)} too.

import * as claims from './curves/claims_redis.mjs';
import * as embedded from './curves/claims_embedded.mjs';
import * as connections from './curves/connections.mjs';
import * as dead from './curves/dead_letters.mjs';
import * as entities from './curves/entities.mjs';
import * as overload from './curves/overload.mjs';
import * as soak from './curves/soak.mjs';
import * as workers from './curves/workers.mjs';
import * as bodies from './parts/bodies.mjs';
import * as drain from './parts/drain.mjs';
import * as durable from './parts/durable.mjs';
import * as forward from './parts/forward.mjs';
import * as full from './parts/full.mjs';
import * as parallel from './parts/parallel.mjs';
import * as redis from './parts/redis.mjs';
import * as stores from './parts/stores.mjs';

export const parts = [full, forward, parallel, bodies, redis, stores, durable, drain, overload];
export const growth = [workers, connections, claims, embedded, dead, entities];
export { overload, soak };
