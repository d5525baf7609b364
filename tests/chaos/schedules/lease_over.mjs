// An instance is killed while the backend works, and stays away for longer than its lease: what it had sent is in
// doubt then, not free.

import { sleep } from '../parts/clock.mjs';
import { ANSWERED, Steps } from './steps.mjs';

export const leaseOver = {
  run: ANSWERED,
  async script(world) {
    const steps = new Steps(world);
    const event = steps.event('left');
    const heal = await world.inject('backend_hanging', 'legacy', { kind: 'hang', effect: 1 });
    const first = steps.send(event, steps.a);
    await steps.effect(event);
    const revive = await world.inject('instance_killed', 'a');
    await first;
    await heal();
    await sleep(world.lease + 300);
    await steps.send(event, steps.b, 'redelivery');
    await revive();
    await world.heal();
  },
};
