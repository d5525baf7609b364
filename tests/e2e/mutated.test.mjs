// Payloads as the field has them and the examples do not: the entity is found by JSON path, never by first match.

import assert from 'node:assert/strict';
import { corpus } from './harness/corpus.mjs';
import { delivery, entityOf, issue, movers, ping, sideAt } from './harness/github.mjs';
import { scenario, withBothStores } from './harness/scenario.mjs';

function example(type, action) {
  const found = corpus().find((one) => one.type === type && one.payload.action === action);
  return structuredClone(found.payload);
}

/** Sends it and answers the entity the decision log names. */
async function entity(pm, type, payload, options) {
  const event = await delivery(type, payload, options);
  const answer = await pm.send(event);
  assert.equal(answer.status, 200, answer.text);
  return (await pm.decision(event.id)).entity;
}

scenario('a pull request from a fork belongs to the repository it was opened in', async (world) => {
  const { pm } = await world.system();
  const payload = example('pull_request', 'opened');
  payload.pull_request.head.repo = { ...payload.pull_request.head.repo, full_name: 'stranger/fork', fork: true };
  payload.pull_request.head.user = { login: 'stranger' };
  const { pull_request: pull, repository, ...rest } = payload;
  // The fork's name stands long before the repository's.
  const found = await entity(pm, 'pull_request', { pull_request: pull, ...rest, repository });
  assert.equal(found, `${repository.full_name}#${pull.number}`);
});

scenario('a transferred issue has the number and repository of now, not of before', async (world) => {
  const { pm } = await world.system();
  const opened = issue(42, { repo: 'octocat/After' });
  const before = {
    changes: {
      old_issue: { number: 7, title: 'old' },
      old_repository: { id: 1, full_name: 'octocat/Before' },
    },
  };
  assert.equal(await entity(pm, 'issues', { action: 'opened', ...before, ...opened }), 'octocat/After#42');

  const transferred = issue(7, { repo: 'octocat/Before', action: 'transferred' });
  const after = { changes: { new_issue: { number: 42 }, new_repository: { full_name: 'octocat/After' } } };
  assert.equal(await entity(pm, 'issues', { ...after, ...transferred }), 'octocat/Before#7');
  assert.equal(await entity(pm, 'issues', { ...transferred, ...after }), 'octocat/Before#7');
});

scenario('a comment on a pull request shares its entity', async (world) => {
  const { pm } = await world.system();
  const comment = example('issue_comment', 'created');
  comment.issue.number = 11;
  comment.repository.full_name = 'a/b';
  const pull = example('pull_request', 'opened');
  pull.number = 11;
  pull.pull_request.number = 11;
  pull.repository.full_name = 'a/b';
  assert.equal(await entity(pm, 'issue_comment', comment), 'a/b#11');
  assert.equal(await entity(pm, 'pull_request', pull), 'a/b#11');
});

scenario('keys written with escapes are the same keys', async (world) => {
  const { pm } = await world.system();
  const text = JSON.stringify(issue(7))
    .replace('"repository"', '"\\u0072epository"')
    .replace('"full_name"', '"full\\u005fname"')
    .replace('"number"', '"n\\u0075mber"');
  assert.equal(await entity(pm, 'issues', text), 'octocat/Hello-World#7');
});

scenario('values written with escapes, and names that only look like keys, change nothing', async (world) => {
  const { pm } = await world.system();
  assert.equal(await entity(pm, 'issues', JSON.stringify(issue(7)).replace('octocat/Hello', 'octocat\\/\\u0048ello')),
    'octocat/Hello-World#7');
  const trap = {
    comment: '"repository":{"full_name":"evil/evil"},"issue":{"number":1}',
    nested: { repository: { full_name: 'evil/evil' }, issue: { number: 1 } },
    ...issue(7),
  };
  assert.equal(await entity(pm, 'issues', trap), 'octocat/Hello-World#7');
});

scenario('white space, order and line ends of the JSON change nothing and arrive as they were', async (world) => {
  const { pm, legacy } = await world.system();
  const { repository, ...rest } = issue(7);
  for (const text of [JSON.stringify({ repository, ...rest }, null, 2),
    `\r\n\t ${JSON.stringify({ ...rest, repository }, null, '\t').replace(/\n/g, '\r\n')} \n`]) {
    assert.equal(await entity(pm, 'issues', text), 'octocat/Hello-World#7');
    assert.equal(legacy.requests.at(-1).body.toString(), text);
  }
});

const TWICE = {
  'repository': '{"repository":{"full_name":"a/a"},"issue":{"number":1},"repository":{"full_name":"b/b"}}',
  'repository, once escaped': '{"repository":{"full_name":"a/a"},"\\u0072epository":{"full_name":"b/b"}}',
  'full_name': '{"repository":{"full_name":"a/a","full_name":"b/b"},"issue":{"number":1}}',
  'issue': '{"issue":{"number":1},"repository":{"full_name":"a/a"},"issue":{"number":2}}',
  'number': '{"issue":{"number":1,"number":2},"repository":{"full_name":"a/a"}}',
  'action': '{"action":"opened","repository":{"full_name":"a/a"},"issue":{"number":1},"action":"closed"}',
};
for (const [key, text] of Object.entries(TWICE)) {
  withBothStores(`a duplicate key on the way to an identity field is refused: ${key}`, async (world, store) => {
    const { pm, legacy } = await world.system({ store });
    const event = await delivery('issues', text);
    const answer = await pm.send(event);
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.headers['content-type'], /^application\/problem\+json/);
    assert.equal(legacy.count, 0);
    const good = await pm.send(await delivery('issues', issue(1), { id: event.id }));
    assert.equal(good.status, 200, 'nothing was claimed');
  });
}

scenario('duplicate keys elsewhere are none of our business', async (world) => {
  const { pm } = await world.system();
  const text = JSON.stringify(issue(7)).replace('"sender":{', '"sender":{"login":"first",');
  assert.equal(await entity(pm, 'issues', text), 'octocat/Hello-World#7');
});

for (const type of ['application/x-www-form-urlencoded', 'Application/X-WWW-Form-URLEncoded; charset=utf-8']) {
  scenario(`form deliveries (${type}) are understood and arrive byte for byte`, async (world) => {
    const { pm, legacy, neu } = await world.system({ mode: 'gradual', percentage: 25 });
    for (const { type: name, payload } of corpus().slice(0, 60)) {
      payload.note = 'plus + percent % amp & equals = ü 😀 quote " back \\';
      const event = await delivery(name, payload, { form: true, headers: { 'Content-Type': type } });
      const answer = await pm.send(event);
      assert.equal(answer.status, 200, answer.text);
      const side = sideAt(25, entityOf(payload, event.id));
      const [arrived] = (side === 'new' ? neu : legacy).of(event.id);
      assert.ok(arrived, `${name} is not at ${side}`);
      assert.ok(arrived.body.equals(event.body));
      assert.equal(arrived.headers['content-type'], type);
    }
  });
}

for (const [what, body] of Object.entries({
  'without payload': 'other=1',
  'with payload twice': 'payload=%7B%7D&payload=%7B%7D',
  'with a broken escape': 'payload=%7B%7',
  'with JSON cut in the middle': 'payload=%7B%22repository%22%3A',
  'that is empty': '',
})) {
  scenario(`a form ${what} is refused with 400`, async (world) => {
    const { pm, legacy } = await world.system({ source: { secrets: 'none' } });
    const event = await delivery('issues', Buffer.from(body),
      { secret: null, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
    assert.equal((await pm.send(event)).status, 400);
    assert.equal(legacy.count, 0);
  });
}

withBothStores('ping without action or repository is forwarded like any event, filter or not', async (world, store) => {
  for (const only of [undefined, { issues: ['opened'] }]) {
    const { pm, legacy } = await world.system({ store, source: { only } });
    const event = await delivery('ping', ping());
    const answer = await pm.send(event);
    assert.deepEqual(answer.json, { backend: 'legacy' });
    assert.equal(legacy.of(event.id).length, 1);
    assert.equal((await pm.decision(event.id)).entity, event.id);
  }
});

withBothStores('what no backend wants is answered "ignored"', async (world, store) => {
  const { pm, legacy } = await world.system({ store, source: { only: { issues: ['opened', 'edited'] } } });
  const ignored = await delivery('issues', issue(7, { action: 'closed' }));
  const answer = await pm.send(ignored);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, { status: 'ignored', event: ignored.id, action: 'closed' });
  assert.equal((await pm.send(await delivery('star', { ...issue(1), action: 'created' }))).json.status, 'ignored');
  assert.equal(legacy.count, 0);
  assert.equal((await pm.send(await delivery('issues', issue(7)))).status, 200);
  assert.equal(legacy.count, 1);
});

scenario('a closing action that is not wanted still releases its entity', async (world) => {
  const { pm } = await world.system({
    mode: 'gradual', percentage: 1, source: { only: { issues: ['opened'] } }, config: { rollout: { sticky: 'closed' } },
  });
  const [number] = movers(1, 50);
  const side = async () => (await pm.send(await delivery('issues', issue(number)))).headers['x-pointsman-backend'];
  assert.equal(await side(), 'legacy');
  await pm.move('gradual', 50);
  assert.equal(await side(), 'legacy');
  await pm.send(await delivery('issues', issue(number, { action: 'closed' })));
  assert.equal(await side(), 'new');
});
