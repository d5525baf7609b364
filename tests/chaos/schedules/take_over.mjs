// An instance cut off from the store for longer than its lease says late that its attempt is done, after another took
// the entity over to the other side: what it gives back is no longer its own.

import { until } from '../../e2e/harness/wait.mjs';
import { sleep } from '../parts/clock.mjs';
import { ANSWERED, Steps } from './steps.mjs';

export const takeOver = {
  run: { ...ANSWERED, timeout: 3000 },
  async script(world) {
    const steps = new Steps(world);
    const [late, taker, next] = ['late', 'taker', 'next'].map((name) => steps.event(name, 7));
    await world.ledger.behave('legacy', 'pace', { kind: 'slow', ms: [300, 300] });
    const first = steps.send(late, steps.a);
    await steps.arrives(late);
    const open = await world.inject('link_held', 'a');
    await first;
    await steps.moveAt(steps.b, 'new_only');
    await sleep(world.lease);

    await world.ledger.behave('new', 'pace', { kind: 'slow', ms: [2700, 2700] });
    const second = steps.send(taker, steps.b);
    await steps.arrives(taker);
    await open();
    await until('the late outcome is in the store', async () => (await steps.leg(late)) === '2');
    await steps.moveAt(steps.b, 'legacy_only');
    await Promise.all([second, steps.send(next, steps.b)]);
    await world.ledger.behave('new', 'pace', undefined);
    await world.ledger.behave('legacy', 'pace', undefined);
    await world.heal();
  },
};
