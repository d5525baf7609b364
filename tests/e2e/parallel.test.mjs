// parallel: new watches, and whatever it does changes nothing for the sender.

import assert from 'node:assert/strict';
import { again, delivery, issue } from './harness/github.mjs';
import { scenario, withBothStores, usually } from './harness/scenario.mjs';
import { SLOW, stays } from './harness/wait.mjs';

usually({ on_failure: 'answer' });

const opened = (number, options) => delivery('issues', issue(number, options));

withBothStores('parallel: both backends have the event before either answers', async (world, store) => {
  const { pm, legacy, neu } = await world.system({ store, mode: 'parallel' });
  legacy.hold();
  neu.hold();
  const event = await opened(1);
  const answer = pm.send(event);
  const [owner, shadow] = await Promise.all([legacy.wait(event.id), neu.wait(event.id)]);
  assert.deepEqual([owner.role, shadow.role], ['owner', 'shadow']);
  assert.ok(shadow.body.equals(owner.body));
  legacy.release();
  assert.deepEqual((await answer).json, { backend: 'legacy' });
  neu.release();
});

const BAD_NEW = {
  'dead': null,
  'slow': { answer: { delay: 5000 } },
  'hanging': { behaviour: 'hangs' },
  'answering garbage': { behaviour: 'garbage' },
  'answering 64 MiB': { behaviour: 'huge body' },
  'answering 100 MiB of headers': { behaviour: '100 MiB of headers' },
  'failing': { answer: { status: 500 } },
};
for (const [how, neu] of Object.entries(BAD_NEW)) {
  scenario(`parallel: a new backend that is ${how} changes neither answer nor latency`, async (world) => {
    const system = await world.system({ mode: 'parallel', neu: neu ?? {} });
    if (neu === null) await system.neu.stop();
    for (let number = 1; number <= 5; number++) {
      const answer = await system.pm.send(await opened(number));
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.json, { backend: 'legacy' });
      assert.ok(answer.ms < 1500 * SLOW, `answered after ${answer.ms} ms`);
    }
    assert.equal(system.legacy.count, 5);
  });
}

withBothStores('parallel: a redelivery of what legacy did not do gives new no second copy', async (world, store) => {
  let status = 500;
  const { pm, legacy, neu } = await world.system({ store, mode: 'parallel', legacy: { answer: () => ({ status }) } });
  const event = await opened(1);
  assert.equal((await pm.send(event)).status, 500);
  await neu.wait(event.id);
  status = 200;
  assert.equal((await pm.send(again(event))).status, 200);
  assert.equal(legacy.of(event.id).length, 2);
  await stays('one copy at new', () => neu.of(event.id).length === 1);
});
