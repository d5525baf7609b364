// What directed schedules have in common: events by name, waiting for what ledger and store show.

import { until } from '../../e2e/harness/wait.mjs';
import { issueEvent } from '../parts/events.mjs';
import { PREFIX } from '../parts/config.mjs';

export const SOURCE = 'patient';

/** Where nothing is kept on disk: what the store and the claims alone promise. */
export const ANSWERED = { onFailure: 'answer', whenDown: 'refuse', sticky: 'in_flight', clock: false, tmpfs: false };

export class Steps {
  constructor(world) {
    this.world = world;
    [this.a, this.b] = world.instances;
  }

  /** An event about an issue; the same name is the same event. */
  event(name, number = 1, source = SOURCE) {
    this.events ??= new Map();
    const id = `${name}-0000-cafe-11f0-8000-000000000000`;
    if (!this.events.has(id)) this.events.set(id, issueEvent(id, number, { source }));
    return this.events.get(id);
  }

  send(event, instance, why = 'first') {
    return this.world.senders.send(event, instance, why);
  }

  attempts(event) {
    return this.world.ledger.read().filter((line) => line.k === 'received' && line.event === event.id);
  }

  arrives(event, nth = 1) {
    return until(`attempt ${nth} of ${event.id} arrives`, () => this.attempts(event).length >= nth);
  }

  effect(event) {
    const numbers = () => this.attempts(event).map((line) => line.n);
    return until(`${event.id} has an effect`, () =>
      this.world.ledger.read().some((line) => line.k === 'effect' && numbers().includes(line.n)));
  }

  /** The state of the event's first leg in the store: "-" none, "1" in flight, "2" done, "3" not done … */
  async leg(event, side = 'legacy') {
    const text = await this.world.redis.call(['GET', `${PREFIX}ev:${event.source}:${event.id}`]);
    if (text === null) return undefined;
    const first = text[21] === '-' ? 22 : 102;
    return side === 'legacy' ? text[21] : text[first + 1];
  }

  /** Changes the mode at one instance and waits only for that one. */
  async moveAt(instance, mode, percentage) {
    await instance.admin('PUT', '/v1/mode', { mode, percentage, reason: 'schedule', force: true });
    await instance.pm.seesMode(mode, percentage);
  }
}
