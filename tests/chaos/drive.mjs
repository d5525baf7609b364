// One run: a world under a plan or a schedule, healed, collected, judged.

import { sleep, now } from './parts/clock.mjs';
import { judge } from './checker/checker.mjs';
import { FAULTS } from './faults.mjs';
import { plan } from './plan.mjs';
import { World } from './world.mjs';

const MODES = ['legacy_only', 'new_only', 'parallel', 'gradual', 'gradual', 'gradual', 'emergency_rollback'];
const CALM_MS = 3000;

/** Mode and percentage change all the time, through the API and by raw SETs, also to nonsense. */
async function steer(world, stopped) {
  const rng = world.rng.fork('steer');
  while (!stopped()) {
    await sleep(rng.int(150, 1200));
    const mode = rng.pick(MODES);
    const percentage = rng.pick([0, 1, 25, 50, 75, 99.5, 100]);
    world.modes.push({ t: now(), mode, percentage, sure: false });
    const kind = rng.next();
    try {
      if (kind < 0.5) {
        await rng.pick(world.instances).admin('PUT', '/v1/mode', { mode, percentage, reason: 'chaos', force: true });
      } else if (kind < 0.65) {
        await rng.pick(world.instances).admin('PUT', '/v1/rollout', { percentage, reason: 'chaos', force: true });
      } else if (kind < 0.7) {
        await rng.pick(world.instances).admin('POST', '/v1/rollback', {});
      } else if (kind < 0.85) {
        await world.redis.call(['SET', 'pointsman:system_mode', kind < 0.73 ? 'banana' : mode]);
      } else {
        await world.redis.call(['SET', 'pointsman:rollout_percentage', percentage]);
      }
    } catch {
      // An instance or Redis is away: whether the change counts is part of the chaos.
    }
  }
}

/** Injects one fault, waits, heals. */
async function one(world, { name, target, params, ms }) {
  let heal;
  try {
    heal = await world.inject(name, target, params);
  } catch (error) {
    world.notes.push(`${name} at ${target} could not be injected: ${error.message.split('\n')[0]}`);
    return;
  }
  await sleep(ms);
  await heal();
}

/** Plays the plan's faults on its timeline; one that takes longer to heal than planned keeps the next of its kind waiting. */
async function play(world, { steps }) {
  const start = now();
  const last = new Map();
  await Promise.all(steps.map(async (step) => {
    await sleep(Math.max(0, start + step.at - now()));
    const before = step.occupies.map((key) => last.get(key));
    const work = Promise.all(before).then(() => one(world, step));
    for (const key of step.occupies) last.set(key, work);
    await work;
  }));
}

/** The driver's random run. */
export function randomScript(options) {
  return async (world) => {
    const todo = plan({ ...options, targets: (name) => FAULTS[name].targets(world) });
    world.plan = todo;
    await world.move('gradual', 50);
    await world.warm();
    await world.quiet(2000);
    const { rate, twins, again, rejects } = todo;
    world.senders.run({ rate, twins, again, rejects });
    let over = false;
    const steering = todo.steer ? steer(world, () => over) : undefined;
    await play(world, todo);
    over = true;
    await steering;
    world.senders.pause();
    if (!(await world.heal())) return;
    await world.move('gradual', 50);
    await world.warm();
    await world.quiet(CALM_MS);
    await world.heal();
  };
}

/**
 * Runs a script in a world of its own: {verdict, record}. `keep(verdict)` names a directory for what is left behind, or
 * undefined; it is asked also when the script failed, with the error.
 */
export async function drive({ seed, run, script, keep = () => undefined }) {
  const world = new World({ seed, run });
  let outcome;
  let failure;
  try {
    await world.start();
    await script(world);
    const record = await world.collect();
    outcome = { verdict: judge(record), record, plan: world.plan };
  } catch (error) {
    failure = error;
  }
  await world.finish(keep(outcome?.verdict, failure));
  if (failure) throw failure;
  return outcome;
}
