// More requests than the workers can do: a burst waits, a crowd that stays is refused in part, and it ends with the load.

import assert from 'node:assert/strict';
import { bytesOf, delivery, issue, PATH } from './harness/github.mjs';
import { requestBytes } from './harness/http.mjs';
import { scenario } from './harness/scenario.mjs';
import { DEADLINE, until } from './harness/wait.mjs';

const connections = (world, pm, n) => Promise.all(Array.from({ length: n }, () => world.connect(pm)));

/** Everybody writes one event while the process is stopped, so that all of them are there at once. */
async function allAtOnce(pm, raws, first) {
  const ids = raws.map((_, i) => `crowd-${first + i}`);
  const texts = await Promise.all(ids.map((id, i) => bytesOf(pm, first + i, { id })));
  pm.signal('SIGSTOP');
  await Promise.all(raws.map((raw, i) => raw.write(texts[i])));
  pm.signal('SIGCONT');
  return ids;
}

scenario('a burst of 500 events is accepted in full, also after the process stood still', async (world) => {
  const { pm, legacy } = await world.system({ config: { workers: 1 } });
  const raws = await connections(world, pm, 500);
  for (let round = 0; round < 3; round++) {
    const ids = await allAtOnce(pm, raws, 1 + round * raws.length);
    const answers = await Promise.all(raws.map((raw) => raw.response(DEADLINE * 2)));
    // A backend that is too slow for it leaves some to the disk; they are accepted too.
    assert.deepEqual(answers.filter(({ status }) => status !== 200 && status !== 202).map((answer) => answer.text), []);
    ids.filter((_, i) => answers[i].status === 200).forEach((id) => assert.equal(legacy.of(id).length, 1));
  }
  assert.equal(await pm.metric('pointsman_shed_total'), 0);
});

// A crowd of events that nobody wants keeps the worker busy; late ones come while the crowd has waited for a while.
scenario('what is more than can be done is refused, what is accepted is done, and it ends with the load', async (world) => {
  const { pm, legacy } = await world.system({
    config: { workers: 1, limits: { queue_delay: '1ms' } },
    source: { only: { issues: ['opened'] } },
  });
  const crowd = await connections(world, pm, 1000);
  const late = await connections(world, pm, 100);
  const star = await delivery('star', { text: 'x'.repeat(40_000) });
  const unwanted = requestBytes('POST', PATH, { Host: pm.address, ...star.headers }, star.body);
  const refused = [];
  const done = [];
  let round = 0;
  const lateRefused = () => refused.filter(({ id }) => id !== star.id).map(({ id }) => id);
  for (const begin = performance.now(); lateRefused().length === 0; round++) {
    assert.ok(performance.now() - begin < DEADLINE * 4, `nobody was refused in ${round} rounds`);
    const ids = late.map((_, i) => `late-${round}-${i}`);
    const texts = await Promise.all(ids.map((id, i) => bytesOf(pm, round * 100 + i, { id })));
    pm.signal('SIGSTOP');
    await Promise.all(crowd.map((raw) => raw.write(unwanted)));
    pm.signal('SIGCONT');
    let answered = 0;
    const crowded = crowd.map((raw) => raw.response(DEADLINE * 2).then((answer) => (answered++, answer)));
    await until('the worker is in the middle of the crowd', () => answered > 450, { every: 1 });
    for (const [i, raw] of late.entries()) raw.write(texts[i]);
    const answers = await Promise.all(late.map((raw) => raw.response(DEADLINE * 2)));
    answers.forEach((answer, i) => (answer.status === 503 ? refused : done).push({ id: ids[i], answer }));
    for (const answer of await Promise.all(crowded)) {
      // A slow machine reads the crowd over so many turns that its own tail is refused.
      if (answer.status === 503) refused.push({ id: star.id, answer });
      else assert.equal(answer.json.status, 'ignored');
    }
  }

  for (const { id, answer } of refused) {
    assert.equal(answer.headers['retry-after'], '1');
    assert.equal(answer.headers['x-pointsman-event'], id);
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal(answer.json.type, 'urn:pointsman:problem:overload');
    assert.equal(answer.headers.connection, undefined, 'the connection is kept');
    assert.equal(legacy.of(id).length, 0, 'a refused event went on');
  }
  for (const { id, answer } of done) {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(legacy.of(id).length, 1);
  }
  assert.equal((await pm.status()).load.refused, refused.length);
  assert.equal(await pm.metric('pointsman_shed_total'), refused.length);
  assert.equal(await pm.metric('pointsman_answers_total', { answer: 'overload' }), refused.length);
  assert.equal(pm.logged('decision').some((line) => lateRefused().includes(line.event)), false);

  for (const id of lateRefused()) {
    assert.equal((await pm.send(await delivery('issues', issue(1), { id }))).status, 200, 'what was refused comes again');
  }
  await until('it is over', async () => (await pm.status()).load.workers_refusing === 0);
  assert.equal(await pm.metric('pointsman_requests_waiting'), 0);
  const told = await until('the log says when it began and ended', () => {
    const lines = pm.logged('overload');
    return lines.length > 1 && lines.length % 2 === 0 && lines.map((line) => line.refused);
  });
  const ends = told.filter((_, i) => i % 2);
  assert.deepEqual(told, ends.flatMap((n) => [1, n]));
  assert.equal(ends.reduce((a, b) => a + b), refused.length);
});
