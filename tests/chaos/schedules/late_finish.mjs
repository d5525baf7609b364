// An instance that got no answer to its finish says it again while another one runs the event: the token must keep the
// late word from ending the other's attempt.

import { sleep } from '../parts/clock.mjs';
import { until } from '../../e2e/harness/wait.mjs';
import { ANSWERED, Steps } from './steps.mjs';

export const lateFinish = {
  run: { ...ANSWERED, timeout: 3000 },
  async script(world) {
    const steps = new Steps(world);
    const event = steps.event('late');
    await world.ledger.behave('legacy', 'busy', { kind: 'status', status: 500, ms: [400, 400] });
    const first = steps.send(event, steps.a);
    await steps.arrives(event);
    const hear = await world.inject('link_deaf', 'a');
    await until('the store has the outcome', async () => (await steps.leg(event)) === '3');
    await first;

    await world.ledger.behave('legacy', 'busy', { kind: 'slow', ms: [2500, 2500] });
    const second = steps.send(event, steps.b, 'redelivery');
    await steps.arrives(event, 2);
    await hear();
    for (let i = 0; i < 40 && (await steps.leg(event)) === '1'; i++) await sleep(25);
    const third = steps.send(event, steps.b, 'redelivery');
    await Promise.all([second, third]);
    await world.ledger.behave('legacy', 'busy', undefined);
    await world.heal();
  },
};
