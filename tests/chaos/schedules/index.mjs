// The directed schedules: each shows one promise in the case that breaks it most easily.

import { doubtKept } from './doubt_kept.mjs';
import { doubtPutBack } from './doubt_put_back.mjs';
import { leaseOver } from './lease_over.mjs';
import { lateFinish } from './late_finish.mjs';
import { pin } from './pin.mjs';
import { powerCut } from './power_cut.mjs';
import { repeated } from './repeated.mjs';
import { takeOver } from './take_over.mjs';

export const SCHEDULES = { repeated, lateFinish, takeOver, pin, leaseOver, doubtKept, doubtPutBack, powerCut };
