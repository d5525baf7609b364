// The command line: exit codes 0, 1 and 2, tables for people, --json for programs.

import assert from 'node:assert/strict';
import { again, delivery, issue, SECRET, PATH } from './harness/github.mjs';
import { pointsman } from './harness/pointsman.mjs';
import { scenario, withBothStores } from './harness/scenario.mjs';
import { until } from './harness/wait.mjs';

/** Runs a command that must exit with `code`; returns what it printed. */
async function expectCli(pm, code, ...args) {
  const result = await pm.cli(...args);
  assert.equal(result.code, code, `pointsman ${args.join(' ')}\n${result.stdout}${result.stderr}`);
  return result;
}

withBothStores('mode, rollout and rollback steer, status and audit tell', async (world, store) => {
  const { pm } = await world.system({ store });
  await expectCli(pm, 0, 'mode', 'gradual', '--percentage', '25', '--reason', 'first step', '--force');
  await pm.seesMode('gradual', 25);
  await expectCli(pm, 1, 'mode', 'new_only', '--reason', 'too early');
  await pm.seesMode('gradual', 25);
  await expectCli(pm, 0, 'rollout', '12.5%', '--reason', 'less');
  await pm.seesMode('gradual', 12.5);
  await expectCli(pm, 0, 'mode', 'TypeScript_Only');
  await pm.seesMode('legacy_only');
  await expectCli(pm, 0, 'rollback', '--reason', 'it burns');
  await pm.seesMode('emergency_rollback', 0);

  const table = await expectCli(pm, 0, 'status');
  assert.match(table.stdout, /emergency_rollback/);
  assert.match(table.stdout, /python/);
  const status = JSON.parse((await expectCli(pm, 0, 'status', '--json')).stdout);
  assert.equal(status.mode, 'emergency_rollback');
  const audit = await expectCli(pm, 0, 'audit');
  for (const reason of ['first step', 'less', 'manual', 'it burns']) assert.ok(audit.stdout.includes(reason), reason);
  JSON.parse((await expectCli(pm, 0, 'audit', '--json')).stdout);
});

scenario('the audit shows what was done beside the changes, page by page', async (world) => {
  const { pm, redis } = await world.system({ store: 'redis' });
  await expectCli(pm, 0, 'mode', 'gradual', '--percentage', '25', '--reason', 'go', '--force');
  await pm.seesMode('gradual', 25);
  const { epoch } = await pm.status();
  for (const nth of [1, 2]) {
    await redis.call('XADD', 'pointsman:audit', `${epoch}-${nth}`, 'at', '1700000000000000', 'actor', 'cli',
      'action', 'dead replay', 'reason', `note ${nth}`, 'evidence', '');
  }
  const seen = [];
  for (let before = 0; before !== null;) {
    const { json } = await pm.admin('GET', `/v1/audit?limit=1&before=${before}`);
    seen.push(...json.audit);
    before = json.next_before;
  }
  assert.deepEqual(seen.slice(0, 3).map(({ epoch: of, reason }) => [of, reason]),
    [[epoch, 'note 2'], [epoch, 'note 1'], [epoch, 'go']]);
  assert.equal(seen[0].action, 'dead replay');
  assert.ok(!('to' in seen[0]) && !('action' in seen[2]));
  assert.equal(seen[2].to, 'gradual');
  assert.match((await expectCli(pm, 0, 'audit', '--before', `${epoch}-2`)).stdout, /cli +dead replay +note 1\n/);
  await expectCli(pm, 2, 'audit', '--before', 'yesterday');
  assert.equal((await pm.admin('GET', '/v1/audit?before=1-')).status, 400);
  assert.ok((await pm.status()).transitions.every(({ to }) => to), 'transitions are changes');
});

scenario('gradual needs a percentage if it is 0', async (world) => {
  const { pm } = await world.system({
    config: { backends: { new: { health: { path: '/healthz', interval: '50ms' } } } },
  });
  await until('new is healthy', async () => (await pm.status()).backends.new.health === 'good');
  const refused = await pm.cli('mode', 'gradual');
  assert.ok([1, 2].includes(refused.code), `exit ${refused.code}`);
  assert.match(refused.stdout + refused.stderr, /percentage/);
  assert.equal((await pm.status()).mode, 'legacy_only');
  await expectCli(pm, 0, 'mode', 'gradual', '--percentage', '5');
});

withBothStores('explain tells why an event and an entity went where they went', async (world, store) => {
  const { pm } = await world.system({ store, mode: 'gradual', percentage: 100 });
  const event = await delivery('issues', issue(7));
  await pm.send(event);
  const byId = await expectCli(pm, 0, 'explain', event.id);
  assert.match(byId.stdout, /octocat\/Hello-World#7/);
  assert.match(byId.stdout, /new/);
  assert.match(byId.stdout, /done/);
  const byEntity = await expectCli(pm, 0, 'explain', 'octocat/Hello-World#7');
  assert.match(byEntity.stdout, /new has octocat\/Hello-World#7: 0 attempts open, stays until 20\d\d-.* UTC/);
  JSON.parse((await expectCli(pm, 0, 'explain', event.id, '--json')).stdout);

  const found = await pm.admin('GET', `/v1/events/${event.id}`);
  assert.equal(found.status, 200, found.text);
  assert.match(found.text, /octocat\/Hello-World#7/);
  assert.equal((await pm.admin('GET', '/v1/events/no-such-event')).status, 404);

  await pm.send(await delivery('issues', issue(7, { action: 'closed' })));
  const released = await expectCli(pm, 0, 'explain', 'octocat/Hello-World#7');
  assert.match(released.stdout, /new has octocat\/Hello-World#7: 0 attempts open, free when none is$/m);
});

withBothStores('forget lets a redelivery through', async (world, store) => {
  const { pm, legacy } = await world.system({ store });
  const event = await delivery('issues', issue(7));
  await pm.send(event);
  assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  await expectCli(pm, 0, 'forget', event.id);
  assert.deepEqual((await pm.send(again(event))).json, { backend: 'legacy' });
  assert.equal(legacy.of(event.id).length, 2);
  await expectCli(pm, 1, 'forget', 'no-such-event');
});

scenario('forget refuses while an attempt is in flight', async (world) => {
  const { pm, legacy } = await world.system();
  legacy.hold();
  const event = await delivery('issues', issue(7));
  const answer = pm.send(event);
  await legacy.wait(event.id);
  await expectCli(pm, 1, 'forget', event.id);
  legacy.release();
  assert.equal((await answer).status, 200);
});

scenario('send delivers a signed test event', async (world) => {
  const { pm, legacy } = await world.system();
  const file = world.file('event.json', JSON.stringify(issue(7)));
  const url = `http://${pm.address}${PATH}`;
  await expectCli(pm, 0, 'send', file, '--event', 'issues', '--secret', SECRET, '--url', url);
  assert.equal(legacy.count, 1);
  assert.equal(legacy.requests[0].headers['x-github-event'], 'issues');
  assert.deepEqual(JSON.parse(legacy.requests[0].body), issue(7));
  await expectCli(pm, 1, 'send', file, '--event', 'issues', '--secret', 'wrong', '--url', url);
  await expectCli(pm, 1, 'send', '/no/such/file', '--event', 'issues', '--secret', SECRET, '--url', url);
  assert.equal(legacy.count, 1);
});

scenario('wrong usage exits with 2 and says how it is meant', async (world) => {
  const { pm } = await world.system();
  for (const args of [[], ['no-such-command'], ['mode'], ['mode', 'gradual', '--no-such-option'],
    ['rollout'], ['explain'], ['forget'], ['send'], ['serve'], ['check'], ['status', 'extra']]) {
    const result = await expectCli(pm, 2, ...args);
    assert.ok(result.stderr.length > 0, `pointsman ${args.join(' ')} says nothing`);
  }
});

scenario('without a running instance the commands fail with 1 and say where they looked', async (world) => {
  const { pm } = await world.system();
  const url = pm.adminUrl;
  await pm.stop();
  const result = await pm.cli('status');
  assert.equal(result.code, 1, result.stdout + result.stderr);
  assert.ok(result.stderr.includes(url.replace('http://', '')), result.stderr);
});

// ---- check ----

const GOOD = `
listeners:
  - address: 127.0.0.1:0
backends:
  legacy: {name: typescript, url: "http://127.0.0.1:9001"}
  new: {name: python, url: "http://127.0.0.1:9002"}
sources:
  - path: /webhooks/github
    provider: github
    secrets: none
    on_failure: answer
`;

scenario('check accepts a good file and warns of what is odd', async (world) => {
  const good = await pointsman('check', '-c', world.file('good.yaml', GOOD));
  assert.equal(good.code, 0, good.stdout + good.stderr);
  const odd = await pointsman('check', '-c', world.file('odd.yaml',
    `${GOOD}store: {kind: embedded, redis: {url: "redis://127.0.0.1:6379/0"}}\n`));
  assert.equal(odd.code, 0, odd.stdout + odd.stderr);
  assert.match(odd.stdout + odd.stderr, /redis/);
});

scenario('check prints every problem of a file in one run, with line, value and what is allowed', async (world) => {
  const file = world.file('bad.yaml', `listeners:
  - address: nowhere
worker: 4
backends:
  legacy: {name: python, url: "ftp://127.0.0.1:9001"}
  new: {name: python, url: "http://127.0.0.1:9002", timeout: soon}
rollout: {key: colour}
sources:
  - path: /webhooks/github
    provider: github
    deadline: 9 parsecs
  - path: /other
    provider: github
    name: other
    secrets: [{env: POINTSMAN_E2E_NOT_SET}]
    on_failure: shrug
store: {when_down: wait}
limits: {body: 1parsec}
`);
  const result = await pointsman('check', '-c', file);
  assert.equal(result.code, 1);
  const text = result.stdout + result.stderr;
  for (const [line, found] of [[2, 'nowhere'], [3, 'worker'], [5, 'ftp'], [6, 'soon'], [6, 'python'], [7, 'colour'],
    [11, '9 parsecs'], [15, 'POINTSMAN_E2E_NOT_SET'], [16, 'shrug'], [17, 'wait'], [18, '1parsec']]) {
    const said = text.split('\n').some((row) => row.includes(`${line}`) && row.includes(found));
    assert.ok(said, `nothing about "${found}" in line ${line}:\n${text}`);
  }
  assert.match(text, /secrets/, 'the first source has no secrets');
  assert.match(text, /repository/, 'what is allowed for rollout.key is listed');
});

scenario('serve refuses what check refuses, and missing files', async (world) => {
  for (const command of ['check', 'serve']) {
    const bad = await pointsman(command, '-c', world.file('bad.yaml', GOOD.replace('secrets: none', 'secrets: some')));
    assert.equal(bad.code, 1, bad.stderr);
    assert.match(bad.stdout + bad.stderr, /sources\[0\]\.secrets: .*no list.*allowed/);
    assert.equal((await pointsman(command, '-c', `${world.dir}/missing.yaml`)).code, 1);
  }
});
