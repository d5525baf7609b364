// The power goes after the sender was told "accepted": what was not synced is gone.

import { Steps } from './steps.mjs';

const EVENTS = 20;

export const powerCut = {
  run: { whenDown: 'hold', onFailure: 'queue', clock: false, tmpfs: false },
  async script(world) {
    const steps = new Steps(world);
    world.disks.set('a', 'forget', 1);
    const listen = await world.inject('backend_refusing', 'legacy', { cut: true });
    for (let i = 0; i < EVENTS; i++) await steps.send(steps.event(`cut${i}`, i + 1, 'accepted'), steps.a);
    const revive = await world.inject('instance_killed', 'a');
    await revive();
    await listen();
    await world.heal();
  },
};
