// As doubt_kept, and then the store comes back from its disk as another process, into which instances put what they
// know: the doubt is still there.

import { ANSWERED, Steps } from './steps.mjs';
import { until } from '../../e2e/harness/wait.mjs';

export const doubtPutBack = {
  run: { ...ANSWERED, idempotent: { legacy: true, new: false } },
  async script(world) {
    const steps = new Steps(world);
    const event = steps.event('returned');
    const heal = await world.inject('backend_hanging', 'legacy', { kind: 'hang', effect: 1 });
    await steps.send(event, steps.a);
    await heal();
    const listen = await world.inject('backend_refusing', 'legacy', { cut: true });
    await steps.send(event, steps.b, 'redelivery');
    const start = await world.inject('redis_killed', 'redis');
    for (const one of world.instances) await until(`${one.name} misses the store`, async () => !(await one.status()).store.up);
    await start();
    for (const one of world.instances) await until(`${one.name} has the store`, async () => (await one.status()).store.up);
    await world.move('new_only');
    await steps.send(event, steps.a, 'redelivery');
    await listen();
    await world.heal();
  },
};
