// What was done is delivered again, to the same and to the other instance: dedupe.

import { ANSWERED, Steps } from './steps.mjs';

export const repeated = {
  run: ANSWERED,
  async script(world) {
    const steps = new Steps(world);
    const event = steps.event('repeated');
    await steps.send(event, steps.a);
    await steps.send(event, steps.b, 'duplicate');
    await steps.send(event, steps.a, 'duplicate');
    await world.heal();
  },
};
