// An event in doubt at an idempotent backend is tried again there, and that attempt is never sent: the first one is in
// doubt as before, so the other side does not get the event.

import { ANSWERED, Steps } from './steps.mjs';

export const doubtKept = {
  run: { ...ANSWERED, idempotent: { legacy: true, new: false } },
  async script(world) {
    const steps = new Steps(world);
    const event = steps.event('doubted');
    const heal = await world.inject('backend_hanging', 'legacy', { kind: 'hang', effect: 1 });
    await steps.send(event, steps.a);
    await heal();
    const listen = await world.inject('backend_refusing', 'legacy', { cut: true });
    await steps.send(event, steps.b, 'redelivery');
    await world.move('new_only');
    await steps.send(event, steps.a, 'redelivery');
    await listen();
    await world.heal();
  },
};
