// Dead events and those in doubt, as operators see and decide them: API, command line, status, metrics.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { once } from 'node:events';
import { start } from './harness/children.mjs';
import { again, delivery, issue } from './harness/github.mjs';
import { fillJournal } from './harness/journal.mjs';
import { BINARY } from './harness/pointsman.mjs';
import { scenario, withBothStores } from './harness/scenario.mjs';
import { SLOW, until, within } from './harness/wait.mjs';

const opened = (number, options) => delivery('issues', issue(number), options);

/** Runs a command that must exit with `code`. */
async function expectCli(pm, code, ...args) {
  const result = await pm.cli(...args);
  assert.equal(result.code, code, `pointsman ${args.join(' ')}\n${result.stdout}${result.stderr}`);
  return result;
}

/** A page of a list: {rows, next, total}; `next` is the cursor, undefined at the end. */
async function page(pm, target) {
  const answer = await pm.admin('GET', target);
  assert.equal(answer.status, 200, answer.text);
  const link = /^<(.*)>; rel="next"$/.exec(answer.headers.link ?? '');
  const number = (name) => answer.headers[name] === undefined ? undefined : Number(answer.headers[name]);
  return { rows: answer.json, link: link?.[1], next: number('x-pointsman-next'), total: number('x-pointsman-total') };
}

const ids = (rows) => rows.map((row) => row.event);

async function refusedQuery(pm, target, ...words) {
  const answer = await pm.admin('GET', target);
  assert.equal(answer.status, 400, `${target}: ${answer.text}`);
  assert.match(answer.headers['content-type'], /problem\+json/);
  for (const word of words) assert.ok(answer.json.detail.includes(word), `${target}: ${answer.json.detail}`);
}

const queue = async (pm) => (await pm.status()).queue;

// ---- lists ----

scenario('lists are paged by a cursor, filtered, and refuse what they do not know', async (world) => {
  const { pm } = await world.system();
  await fillJournal(pm, [
    { count: 5, id: 'a-', entity: 'octocat/A#', side: 'legacy', reason: 'not_done', age_s: 7200 },
    { count: 4, id: 'b-', entity: 'octocat/B#', side: 'new', reason: 'rejected', status: 422, type: 'push' },
    { count: 3, id: 'c-', entity: 'octocat/C#', state: 'parked', reason: 'in_doubt', side: 'new', status: 0 },
  ]);
  const all = await page(pm, '/v1/dead');
  assert.deepEqual(ids(all.rows), ['a-0', 'a-1', 'a-2', 'a-3', 'a-4', 'b-0', 'b-1', 'b-2', 'b-3']);
  assert.deepEqual([all.next, all.link, all.total], [undefined, undefined, undefined]);
  const row = all.rows[5];
  assert.deepEqual(
    { ...row, at: undefined, first_at: undefined, seq: undefined },
    { event: 'b-0', source: 'github', type: 'push', action: 'opened', entity: 'octocat/B#0', backend: 'new', attempts: 1,
      reason: 'rejected', status: 422, state: 'dead', at: undefined, first_at: undefined, seq: undefined });
  assert.ok(Date.now() - Date.parse(row.at) < 60_000 * SLOW, row.at);

  // page after page, by the cursor and by the link
  const first = await page(pm, '/v1/dead?limit=4&count=1');
  assert.deepEqual(ids(first.rows), ['a-0', 'a-1', 'a-2', 'a-3']);
  assert.equal(first.total, 9);
  assert.equal(first.next, first.rows[3].seq);
  const second = await page(pm, `/v1/dead?limit=4&after=${first.next}`);
  assert.deepEqual(ids(second.rows), ['a-4', 'b-0', 'b-1', 'b-2']);
  assert.deepEqual(ids((await page(pm, first.link)).rows), ids(second.rows));
  assert.deepEqual(ids((await page(pm, second.link)).rows), ['b-3']);

  for (const [filter, wanted] of [
    ['backend=new', ['b-0', 'b-1', 'b-2', 'b-3']],
    ['backend=python&limit=1', ['b-0']],
    ['backend=typescript&reason=not_done&limit=1', ['a-0']],
    ['type=push&limit=2', ['b-0', 'b-1']],
    ['entity=octocat%2FA%233', ['a-3']],
    ['source=gitlab', []],
    ['since=1h&limit=1', ['b-0']],
    ['until=1h', ['a-0', 'a-1', 'a-2', 'a-3', 'a-4']],
    [`since=${new Date(Date.now() - 3 * 3600_000).toISOString()}&until=1h&limit=1`, ['a-0']],
  ]) {
    assert.deepEqual(ids((await page(pm, `/v1/dead?${filter}`)).rows), wanted, filter);
  }
  // a relative time is a moment in the pages behind it
  const { link } = await page(pm, '/v1/dead?until=0s&limit=2');
  assert.match(link, /until=20\d\d-/);
  assert.deepEqual(ids((await page(pm, '/v1/doubt')).rows), ['c-0', 'c-1', 'c-2']);

  await refusedQuery(pm, '/v1/dead?colour=red', '"colour"', 'source', 'entity', 'until');
  await refusedQuery(pm, '/v1/dead?backend=ruby', '"ruby"', 'legacy (typescript)', 'new (python)');
  await refusedQuery(pm, '/v1/dead?reason=bad', '"bad"', 'not_done', 'rejected', 'in_doubt');
  await refusedQuery(pm, '/v1/doubt?since=soon', '"soon"', '2h');
  await refusedQuery(pm, '/v1/doubt?limit=5000', '5000', '1 to 1000');
  await refusedQuery(pm, '/v1/dead?source=', '"source" is empty');
  assert.equal((await pm.admin('DELETE', '/v1/dead')).status, 405);

  // the same for people
  const table = await expectCli(pm, 0, 'dead', 'list', '--limit', '2', '--backend', 'new');
  assert.match(table.stdout, /b-1 .*octocat\/B#1 .*new .*rejected .*422/);
  assert.match(table.stdout, /showing 2 of 4; what comes next: --after \d+/);
  assert.ok(!table.stdout.includes('a-0'));
  assert.match((await expectCli(pm, 0, 'dead', 'list', '--source', 'gitlab')).stdout, /No event is dead/);
  assert.deepEqual(ids(JSON.parse((await expectCli(pm, 0, 'doubt', 'list', '--json')).stdout)), ['c-0', 'c-1', 'c-2']);
  assert.match((await expectCli(pm, 1, 'dead', 'list', '--reason', 'bad')).stderr, /allowed are .*not_done/);
});

scenario('one is shown with headers, answer and, on demand, its body, but no secret', async (world) => {
  const { pm } = await world.system();
  const head = 'X-GitHub-Event: issues\r\nAuthorization: Basic aHVudGVyMg==\r\nX-Hub-Signature-256: sha256=00\r\n';
  await fillJournal(pm, [
    { id: 'one', head, body: '{"title":"Grüße"}', answer: '{"error":"boom"}', status: 503, attempt: 9 },
    { id: 'other', state: 'parked', reason: 'in_doubt', side: 'new', status: 0, answer: '' },
  ]);
  const without = await pm.admin('GET', '/v1/dead/one');
  assert.equal(without.status, 200, without.text);
  assert.equal(without.json.body, null);
  const { text, json } = await pm.admin('GET', '/v1/dead/one?source=github&body=1');
  assert.deepEqual(json.headers, [
    { name: 'X-GitHub-Event', value: 'issues' },
    { name: 'Authorization', value: '(not shown)' },
    { name: 'X-Hub-Signature-256', value: 'sha256=00' },
  ]);
  assert.ok(!text.includes('aHVudGVyMg'));
  assert.deepEqual(json.answer, { status: 503, bytes: 16, body: '{"error":"boom"}' });
  assert.equal(json.body, '{"title":"Grüße"}');
  assert.equal(json.body_bytes, Buffer.byteLength(json.body));
  assert.equal(json.attempts, 9);

  const wrongState = await pm.admin('GET', '/v1/dead/other');
  assert.equal(wrongState.status, 404);
  assert.match(wrongState.json.detail, /not dead: it is in doubt/);
  assert.equal((await pm.admin('GET', '/v1/dead/none')).status, 404);
  assert.equal((await pm.admin('GET', '/v1/dead/one?source=gitlab')).status, 404);

  const shown = await expectCli(pm, 0, 'dead', 'show', 'one', '--body');
  assert.match(shown.stdout, /^state +dead since 20.* UTC .*: not_done$/m);
  assert.match(shown.stdout, /^answer +503, 16 bytes kept$/m);
  assert.ok(shown.stdout.endsWith('{"title":"Grüße"}\n'), shown.stdout);
  await expectCli(pm, 0, 'doubt', 'show', 'other');
  await expectCli(pm, 1, 'doubt', 'show', 'one');
  const explained = await expectCli(pm, 0, 'explain', 'one');
  assert.match(explained.stdout, /^journal +dead \(not_done\) since /m);
});

scenario('status and metrics count what lies on the disk', async (world) => {
  const { pm } = await world.system();
  assert.deepEqual({ ...await queue(pm), bytes: undefined }, {
    pending: 0, parked: 0, dead: 0, in_doubt: 0, oldest_s: 0, bytes: undefined, max_bytes: 10 * 1024 ** 3, accepting: true,
    damaged: 0,
  });
  await fillJournal(pm, [{ count: 3, id: 'a-' }, { count: 2, id: 'b-', state: 'parked', reason: 'in_doubt' }]);
  const now = await queue(pm);
  assert.deepEqual([now.pending, now.parked, now.in_doubt, now.dead], [0, 2, 2, 3]);
  assert.ok(now.bytes > 0);
  assert.equal(await pm.metric('pointsman_queue_events', { state: 'dead' }), 3);
  assert.equal(await pm.metric('pointsman_queue_events', { state: 'parked' }), 2);
  assert.equal(await pm.metric('pointsman_journal_accepting'), 1);
  assert.equal(await pm.metric('pointsman_journal_bytes'), now.bytes);
  assert.equal(await pm.metric('pointsman_breaker_state', { backend: 'new', state: 'closed' }), 1);
  const status = await pm.status();
  assert.equal(status.backends.legacy.breaker, 'closed');
  assert.match((await expectCli(pm, 0, 'status')).stdout, /^queue +0 pending, 2 in doubt, 3 dead; /m);
});

// ---- drop ----

scenario('drop takes ids, filters or all, and nothing without a selection', async (world) => {
  const { pm } = await world.system();
  await fillJournal(pm, [
    { count: 20, id: 'a-', side: 'legacy' },
    { count: 30, id: 'b-', side: 'new', reason: 'rejected' },
    { id: 'doubt', state: 'parked', reason: 'in_doubt' },
  ]);
  for (const args of [[], ['--note', 'x'], ['a-1', '--all'], ['a-1', '--backend', 'new'], ['--all', '--rate', '0'],
    ['--all', '--rate', 'fast'], ['--colour', 'red']]) {
    assert.ok((await expectCli(pm, 2, 'dead', 'drop', ...args)).stderr.length > 0, args.join(' '));
  }
  assert.match((await expectCli(pm, 2, 'dead', 'drop')).stderr, /ids, --all, or a filter/);
  assert.match((await expectCli(pm, 1, 'dead', 'drop', '--source', '')).stderr, /"source" is empty/);

  const dry = await expectCli(pm, 0, 'dead', 'drop', '--all', '--dry-run');
  assert.match(dry.stdout, /^50 events would be dropped; the first 10:/);
  assert.match(dry.stdout, /a-9 /);
  assert.ok(!dry.stdout.includes('a-10 '));
  assert.equal((await queue(pm)).dead, 50);

  const some = await expectCli(pm, 1, 'dead', 'drop', 'a-1', 'a-2', 'doubt', 'none');
  assert.match(some.stdout, /^2 events dropped, 2 refused\.$/m);
  assert.match(some.stderr, /refused: doubt \(github\): it is not dead/);
  assert.match(some.stderr, /refused: none: no event "none" is on record/);
  await expectCli(pm, 0, 'dead', 'drop', 'a-3', '--source', 'github');
  const told = JSON.parse((await expectCli(pm, 0, 'dead', 'drop', '--backend', 'new', '--rate', '1000', '--json')).stdout);
  assert.deepEqual(told, { done: 30, refused: [], stopped: false, matching: 30 });
  assert.equal((await queue(pm)).dead, 17);
  assert.match((await expectCli(pm, 0, 'dead', 'drop', '--all', '--yes')).stdout, /^17 events dropped\.$/m);
  assert.match((await expectCli(pm, 0, 'dead', 'drop', '--all')).stdout, /No event matches/);
  const left = await queue(pm);
  assert.deepEqual([left.dead, left.in_doubt], [0, 1]);

  const { audit } = (await pm.admin('GET', '/v1/audit')).json;
  const drops = audit.filter((entry) => entry.action === 'dead drop');
  assert.deepEqual(drops[0].evidence, { count: 17, refused: 0, first: 'a-0', last: 'a-19', to: null });
  assert.equal(drops[0].actor, 'cli');
  assert.equal(drops[0].reason, 'manual');
});

scenario('a rate is kept', async (world) => {
  const { pm } = await world.system();
  await fillJournal(pm, [{ count: 60, id: 'a-' }]);
  const begin = performance.now();
  await expectCli(pm, 0, 'dead', 'drop', '--all', '--rate', '50');
  const took = performance.now() - begin;
  assert.ok(took >= 1000, `60 at 50/s took ${took} ms`);
  assert.equal((await queue(pm)).dead, 0);
});

scenario('Ctrl-C stops between two batches and says how far it came', async (world) => {
  const { pm } = await world.system();
  await fillJournal(pm, [{ count: 1000, id: 'a-' }]);
  const env = { ...process.env, POINTSMAN_ADMIN: pm.adminUrl };
  const child = start(BINARY, ['dead', 'drop', '--all', '--rate', '20'], { env });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  const closed = once(child, 'close');
  await until('the first are dropped', async () => (await queue(pm)).dead < 1000);
  child.kill('SIGINT');
  const { code } = await within('the end of the command', child.ended);
  await closed;
  assert.equal(code, 1, stdout);
  const dropped = 1000 - (await queue(pm)).dead;
  assert.equal(stdout, `stopped early: ${dropped} events dropped of 1,000.\n`);
});

scenario('requests for many are checked before anything is done', async (world) => {
  const { pm } = await world.system();
  await fillJournal(pm, [{ id: 'a' }]);
  const event = { source: 'github', event: 'a' };
  for (const [target, body, words] of [
    ['/v1/dead/drop', {}, ['"events"', '1 to 1000']],
    ['/v1/dead/drop', { events: [] }, ['"events"']],
    ['/v1/dead/drop', { events: [event, { event: 'a' }] }, ['"events"[1]', '"source"']],
    ['/v1/dead/drop', { events: [event, { ...event, colour: 'red' }] }, ['"events"[1]']],
    ['/v1/dead/drop', { events: Array(1001).fill(event) }, ['1 to 1000']],
    ['/v1/dead/drop', { events: [event], to: 'new' }, ['"to"', 'events, reason']],
    ['/v1/dead/replay', { events: [event], to: 'ruby' }, ['"ruby"', 'legacy (typescript)']],
    ['/v1/dead/replay', { events: [event], again: 'maybe' }, ['"again"']],
    ['/v1/doubt/resolve', { events: [event] }, ['"as"', 'done and retry']],
    ['/v1/doubt/resolve', { events: [event], as: 'lost' }, ['"lost"', 'done and retry']],
  ]) {
    const answer = await pm.admin('POST', target, body);
    assert.equal(answer.status, 400, `${target} ${JSON.stringify(body).slice(0, 80)}: ${answer.text}`);
    for (const word of words) assert.ok(answer.json.detail.includes(word), answer.json.detail);
  }
  const long = Array.from({ length: 1000 }, (_, i) => ({ source: 'github', event: `${'x'.repeat(250)}${i}` }));
  const all = await pm.admin('POST', '/v1/dead/drop', { events: long });
  assert.equal(all.status, 200, all.text);
  assert.equal(all.json.done, 0);
  assert.equal(all.json.refused.length, 1000);
  assert.equal((await queue(pm)).dead, 1);
});

// ---- replay ----

withBothStores('what is done already is replayed only as a new event', async (world, store) => {
  const { pm, legacy } = await world.system({ store });
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 200);
  await fillJournal(pm, [{ id: event.id, entity: 'octocat/Hello-World#7', body: event.body.toString() }]);
  const refused = await expectCli(pm, 1, 'dead', 'replay', event.id);
  assert.match(refused.stderr, /done already at legacy \(200\); --again sends it as a new event/);
  assert.equal((await queue(pm)).dead, 1);
  assert.equal(legacy.count, 1);

  await expectCli(pm, 0, 'dead', 'replay', event.id, '--again', '--note', 'once more');
  await legacy.waitCount(2);
  const copy = legacy.requests[1];
  assert.match(copy.headers['x-pointsman-event'], new RegExp(`^${event.id}\\+[0-9a-f]{8}$`));
  assert.equal(copy.headers['idempotency-key'], `"${copy.headers['x-pointsman-event']}"`);
  assert.deepEqual(copy.body, event.body);
  await until('nothing is left', async () => (await queue(pm)).pending === 0);
  assert.equal((await queue(pm)).dead, 0);
});

withBothStores('a full ladder ends dead; a replay after the backend healed delivers it', async (world, store) => {
  const { pm, legacy, neu } = await world.system({
    store, legacy: { answer: { status: 500, body: 'boom' } }, config: { retry: { ladder: ['10ms'] } },
  });
  const event = await opened(7);
  assert.equal((await pm.send(event)).status, 202);
  await until('it is dead', async () => (await queue(pm)).dead === 1);
  assert.equal(legacy.of(event.id).length, 2);
  const { rows: [row] } = await page(pm, '/v1/dead');
  assert.deepEqual([row.event, row.backend, row.attempts, row.reason, row.status],
    [event.id, 'legacy', 2, 'not_done', 500]);
  const whole = (await pm.admin('GET', `/v1/dead/${event.id}?body=1`)).json;
  assert.equal(whole.answer.body, 'boom');
  assert.equal(whole.body, event.body.toString());

  legacy.answer = undefined;
  await expectCli(pm, 0, 'dead', 'replay', event.id);
  await until('it is delivered', async () => {
    const now = await queue(pm);
    return now.dead === 0 && now.pending === 0;
  });
  const last = legacy.of(event.id).at(-1);
  assert.deepEqual(last.body, event.body);
  assert.equal(last.headers['x-hub-signature-256'], event.headers['X-Hub-Signature-256']);
  assert.deepEqual((await pm.send(again(event))).json,
    { status: 'duplicate', event: event.id, backend: 'legacy', backend_status: 200 });
  assert.equal(neu.count, 0);
});

scenario('a replay goes where --to says', async (world) => {
  const { pm, legacy, neu } = await world.system();
  await fillJournal(pm, [{ count: 3, id: 'a-', entity: 'octocat/A#' }]);
  await expectCli(pm, 1, 'dead', 'replay', 'a-1', '--to', 'ruby');
  await expectCli(pm, 0, 'dead', 'replay', 'a-1');
  await legacy.wait('a-1');
  await expectCli(pm, 0, 'dead', 'replay', 'a-2', '--to', 'python');
  await neu.wait('a-2');
  assert.equal(legacy.count, 1);
});

scenario('500 are replayed at a rate, each once', async (world) => {
  const { pm, legacy } = await world.system();
  await fillJournal(pm, [{ count: 500, id: 'a-', entity: 'octocat/A#' }, { count: 5, id: 'b-', type: 'push' }]);
  const told = await expectCli(pm, 0, 'dead', 'replay', '--type', 'issues', '--rate', '2000', '--note', 'backend fixed');
  assert.match(told.stdout, /^500 events replayed\.$/m);
  await legacy.waitCount(500);
  await until('the queue is empty', async () => (await queue(pm)).pending === 0);
  assert.equal(new Set(legacy.requests.map((request) => request.headers['x-pointsman-event'])).size, 500);
  assert.equal(legacy.count, 500);
  assert.equal((await queue(pm)).dead, 5);
  const { audit } = (await pm.admin('GET', '/v1/audit')).json;
  const notes = audit.filter((entry) => entry.action === 'dead replay' && entry.reason === 'backend fixed');
  assert.equal(notes.reduce((sum, note) => sum + note.evidence.count, 0), 500);
});

// ---- doubt ----

withBothStores('an event in doubt is settled as done or sent again', async (world, store) => {
  const { pm, legacy, neu } = await world.system({
    store, mode: 'new_only', neu: { behaviour: 'reset after the request' }, config: { retry: { ladder: ['10ms'] } },
  });
  const first = await opened(7);
  const second = await opened(8);
  for (const event of [first, second]) {
    const answer = await pm.send(event);
    assert.equal(answer.status, 202, answer.text);
    assert.equal(answer.json.status, 'in_doubt');
  }
  await until('both are listed', async () => (await queue(pm)).in_doubt === 2);
  const { rows } = await page(pm, '/v1/doubt');
  assert.deepEqual(rows.map((row) => [row.event, row.backend, row.reason]),
    [[first.id, 'new', 'in_doubt'], [second.id, 'new', 'in_doubt']]);
  for (const args of [[], ['--done', '--retry']]) await expectCli(pm, 2, 'doubt', 'resolve', first.id, ...args);

  await expectCli(pm, 0, 'doubt', 'resolve', first.id, '--done');
  assert.equal((await pm.send(again(first))).json.status, 'duplicate');
  assert.equal(neu.of(first.id).length, 1);

  await pm.move('legacy_only');
  await expectCli(pm, 0, 'doubt', 'resolve', second.id, '--retry');
  await legacy.wait(second.id);
  await until('nothing is left', async () => {
    const now = await queue(pm);
    return now.in_doubt === 0 && now.pending === 0;
  });
  const { audit } = (await pm.admin('GET', '/v1/audit')).json;
  assert.deepEqual(audit.map((entry) => entry.action).filter((action) => action?.startsWith('doubt')),
    ['doubt retry', 'doubt done']);
});

withBothStores('what is in doubt in the store alone can be called done, but not be sent from here', async (world, store) => {
  const { pm, neu } = await world.system({ store, mode: 'new_only', neu: { behaviour: 'reset after the request' } });
  const event = await opened(7);
  assert.equal((await pm.send(event)).json.status, 'in_doubt');
  await pm.stop();
  for (const file of fs.readdirSync(path.join(pm.dir, 'var'))) {
    if (file.startsWith('journal.db')) fs.rmSync(path.join(pm.dir, 'var', file));
  }
  await pm.start();
  assert.deepEqual((await page(pm, '/v1/doubt')).rows, []);
  const retry = await expectCli(pm, 1, 'doubt', 'resolve', event.id, '--retry');
  assert.match(retry.stderr, /its payload is on no disk here; ask the sender to redeliver after `forget`/);
  assert.equal((await pm.send(again(event))).json.status, 'in_doubt');
  await expectCli(pm, 0, 'doubt', 'resolve', event.id, '--done');
  assert.equal((await pm.send(again(event))).json.status, 'duplicate');
  assert.equal(neu.count, 1);
  await expectCli(pm, 1, 'doubt', 'resolve', 'no-such-event', '--done');
});

// ---- faults and size ----

scenario('while the store is away nothing is replayed or settled', async (world) => {
  const { pm, redis, legacy } = await world.system({ store: 'redis' });
  await fillJournal(pm, [
    { count: 100, id: 'a-' }, { count: 3, id: 'd-', state: 'parked', reason: 'in_doubt' },
  ]);
  await redis.stop();
  await until('the store is away', async () => !(await pm.status()).store.up);
  for (const args of [['dead', 'replay', '--all'], ['doubt', 'resolve', '--all', '--done']]) {
    const result = await expectCli(pm, 1, ...args);
    assert.match(result.stderr, /the store does not answer/);
    assert.match(result.stdout, /stopped early: 0 events/);
  }
  const now = await queue(pm);
  assert.deepEqual([now.pending, now.in_doubt, now.dead], [0, 3, 100]);
  assert.equal(legacy.count, 0);
  assert.match((await expectCli(pm, 0, 'dead', 'drop', '--all')).stdout, /100 events dropped/);
});

scenario('100,000 stay quick', async (world) => {
  const { pm } = await world.system();
  await fillJournal(pm, [
    { count: 99_000, id: 'a-', entity: 'octocat/A#' },
    { count: 1_000, id: 'b-', entity: 'octocat/B#', side: 'new', reason: 'rejected' },
  ]);
  for (const target of ['/v1/dead?limit=1000', '/v1/dead?count=1', '/v1/dead?entity=octocat%2FB%23999',
    '/v1/dead?backend=new&reason=rejected&count=1&limit=1000', '/v1/dead/a-98999']) {
    const answer = await pm.admin('GET', target);
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.ms < 1000 * SLOW, `${target} took ${answer.ms} ms`);
  }
  assert.match((await expectCli(pm, 0, 'dead', 'list')).stdout, /showing 100 of 100,000/);
  assert.match((await expectCli(pm, 0, 'dead', 'drop', '--backend', 'new')).stdout, /^1,000 events dropped\.$/m);
  assert.match((await expectCli(pm, 0, 'dead', 'drop', '--all')).stdout, /^99,000 events dropped\.$/m);
  assert.equal((await queue(pm)).dead, 0);
});
