// What legacy got first and did not do stays at legacy while the percentage rises: the pin.

import { movers } from '../../e2e/harness/github.mjs';
import { sleep } from '../parts/clock.mjs';
import { ANSWERED, Steps } from './steps.mjs';

export const pin = {
  run: ANSWERED,
  async script(world) {
    const steps = new Steps(world);
    const event = steps.event('pinned', movers(1, 99)[0]);
    await world.move('gradual', 1);
    // The checker must be sure that the mode was read by everybody.
    await sleep(2500);
    await world.ledger.behave('legacy', 'busy', { kind: 'status', status: 500 });
    await steps.send(event, steps.a);
    await world.ledger.behave('legacy', 'busy', undefined);
    await world.move('gradual', 99);
    await steps.send(event, steps.b, 'redelivery');
    await world.heal();
  },
};
