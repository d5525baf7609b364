// Bad input: each gets its answer, leaves the process healthy and claims nothing.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { delivery, issue, PATH, SECRET, signature } from './harness/github.mjs';
import { requestBytes } from './harness/http.mjs';
import { scenario, withBothStores } from './harness/scenario.mjs';
import { SLOW, pause } from './harness/wait.mjs';

const ID = '72d3162e-cc78-11e3-81ab-4c9367dc0958';

/** Raw bytes, signed: the official library signs text only. */
function signedBytes(body, options = {}) {
  const hex = createHmac('sha256', SECRET).update(body).digest('hex');
  return delivery('issues', body, { id: ID, secret: null, ...options,
    headers: { 'X-Hub-Signature-256': `sha256=${hex}`, ...options.headers } });
}

/** The text with another hex digit at `at`. */
const flip = (hex, at) => hex.slice(0, at) + (hex[at] === '0' ? '1' : '0') + hex.slice(at + 1);
const withHeaders = (headers) => () => delivery('issues', issue(7), { id: ID, headers });
const signed = (text) => () => signedBytes(Buffer.from(text));
const right = signature(Buffer.from(JSON.stringify(issue(7))));
const text = JSON.stringify(issue(7));

const CASES = {
  'a signature by another secret': [401, () => delivery('issues', issue(7), { id: ID, secret: 'wrong' })],
  'a signature of another body': [401, async () => ({
    ...await delivery('issues', issue(7), { id: ID }), body: Buffer.from(JSON.stringify(issue(8))) })],
  'no signature': [401, () => delivery('issues', issue(7), { id: ID, secret: null })],
  'an empty signature': [401, withHeaders({ 'X-Hub-Signature-256': '' })],
  'a signature of the scheme only': [401, withHeaders({ 'X-Hub-Signature-256': 'sha256=' })],
  'a signature wrong in its first digit': [401, async () =>
    withHeaders({ 'X-Hub-Signature-256': flip(await right, 7) })()],
  'a signature wrong in its last digit': [401, async () =>
    withHeaders({ 'X-Hub-Signature-256': flip(await right, 70) })()],
  'a truncated signature': [401, async () => withHeaders({ 'X-Hub-Signature-256': (await right).slice(0, -1) })()],
  'a signature with a byte too many': [401, async () => withHeaders({ 'X-Hub-Signature-256': `${await right}0` })()],
  'a signature in upper-case hex': [401, async () => withHeaders({
    'X-Hub-Signature-256': `sha256=${(await right).slice(7).toUpperCase()}` })()],
  'a signature without its scheme': [401, async () => withHeaders({ 'X-Hub-Signature-256': (await right).slice(7) })()],
  'a SHA-1 signature only': [401, async () => withHeaders({
    'X-Hub-Signature-256': undefined,
    'X-Hub-Signature': `sha1=${createHmac('sha1', SECRET).update(text).digest('hex')}` })()],
  'a body that is not JSON': [400, signed('hello')],
  'an empty body': [400, signed('')],
  'JSON that is no object': [400, signed('[1,2,3]')],
  'JSON cut in the middle': [400, signed(text.slice(0, text.length / 2))],
  'JSON cut before its last byte': [400, signed(text.slice(0, -1))],
  'garbage after the JSON': [400, signed(`${text} x`)],
  'two documents': [400, signed(text + text)],
  'JSON 10,000 levels deep': [400, signed(
    text.replace('{', `{"deep":${'['.repeat(10_000)}${']'.repeat(10_000)},`))],
  'a number for repository.full_name': [400, signed(text.replace('"octocat/Hello-World"', '7'))],
  'a string for issue.number': [400, signed(text.replace('"number":7', '"number":"7"'))],
  'a fraction for issue.number': [400, signed(text.replace('"number":7', '"number":7.5'))],
  'a negative issue.number': [400, signed(text.replace('"number":7', '"number":-7'))],
  'a number for action': [400, signed(text.replace('"opened"', '5'))],
  'invalid UTF-8': [400, () => signedBytes(Buffer.from(text.replace('Issue 7', 'Issue \xff'), 'latin1'))],
  'a raw control character in a string': [400, signed(text.replace('Issue 7', 'Issue \u0001'))],
  'a body one byte over the limit': [413, signed(`${text}${' '.repeat(65_537 - text.length)}`)],
  'a delivery id of 10 KB': [400, withHeaders({ 'X-GitHub-Delivery': 'a'.repeat(10_240) })],
  'an empty delivery id': [400, withHeaders({ 'X-GitHub-Delivery': '' })],
  'no delivery id': [400, withHeaders({ 'X-GitHub-Delivery': undefined })],
  'no event type': [400, withHeaders({ 'X-GitHub-Event': undefined })],
  'an event type of 10 KB': [400, withHeaders({ 'X-GitHub-Event': 'a'.repeat(10_240) })],
  'a content type of another kind': [415, withHeaders({ 'Content-Type': 'text/plain' })],
  'no content type': [415, withHeaders({ 'Content-Type': undefined })],
};

/** The process is well, and the id that was refused is free: a good delivery with it goes through, once. */
async function expectUnharmed({ pm, legacy, neu }, id = ID) {
  assert.equal(legacy.count + neu.count, 0, 'bad input reached a backend');
  const good = await delivery('issues', issue(7), { id });
  const answer = await pm.send(good);
  assert.equal(answer.status, 200, `a good delivery of the same id: ${answer.text}`);
  assert.deepEqual(answer.json, { backend: 'legacy' });
  assert.equal(legacy.of(id).length, 1);
  assert.equal((await pm.admin('GET', '/healthz')).status, 200);
  assert.equal((await pm.admin('GET', '/readyz')).status, 200);
}

function expectProblem(answer, status) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  const problem = answer.json;
  assert.equal(problem.status, status);
  for (const member of ['type', 'title', 'detail']) assert.equal(typeof problem[member], 'string', member);
}

for (const [what, [status, make]] of Object.entries(CASES)) {
  scenario(`${what} is refused with ${status}`, async (world) => {
    const system = await world.system({ config: { limits: { body: '64KiB' } } });
    expectProblem(await system.pm.send(await make()), status);
    await expectUnharmed(system);
  });
}

withBothStores('all of it, one after the other and at once, claims nothing in either store', async (world, store) => {
  const system = await world.system({ store, config: { limits: { body: '64KiB' } } });
  const all = await Promise.all(Object.values(CASES).map(async ([status, make]) => [status, await make()]));
  for (const [status, one] of all) assert.equal((await system.pm.send(one)).status, status);
  const answers = await Promise.all(all.map(([, one]) => system.pm.send(one)));
  assert.deepEqual(answers.map((answer) => answer.status), all.map(([status]) => status));
  await expectUnharmed(system);
  if (system.redis) {
    const keys = await system.redis.call('KEYS', 'pointsman:ev:*');
    assert.deepEqual(keys, [`pointsman:ev:github:${ID}`]);
  }
});

scenario('a body of exactly the limit is taken', async (world) => {
  const { pm } = await world.system({ config: { limits: { body: '64KiB' } } });
  const event = await signedBytes(Buffer.from(`${text}${' '.repeat(65_536 - text.length)}`));
  assert.equal((await pm.send(event)).status, 200);
});

for (const [what, id] of [['a NUL', 'abc\0def'], ['CR LF', 'abc\r\ndef'], ['LF', 'abc\ndef'], ['CR', 'abc\rdef'],
  ['CR LF and a space (a folded line)', 'abc\r\n def']]) {
  scenario(`a delivery id with ${what} is refused with 400 and the connection closed`, async (world) => {
    const system = await world.system();
    const { headers, body } = await delivery('issues', issue(7), { id: ID });
    const raw = await world.connect(system.pm);
    raw.write(requestBytes('POST', PATH, { Host: system.pm.address, ...headers, 'X-GitHub-Delivery': id }, body));
    expectProblem(await raw.response(), 400);
    await raw.waitClosed();
    await expectUnharmed(system);
  });
}

scenario('a delivery id with CR LF and a colon makes a header, not a line of ours', async (world) => {
  const system = await world.system();
  const { headers, body } = await delivery('issues', issue(7), { id: ID });
  const raw = await world.connect(system.pm);
  raw.write(requestBytes('POST', PATH,
    { Host: system.pm.address, ...headers, 'X-GitHub-Delivery': `${ID}\r\nX-Pointsman-Role: shadow` }, body));
  assert.equal((await raw.response()).status, 200);
  assert.equal(system.legacy.of(ID)[0].role, 'owner');
});

// ---- senders that do not keep up ----

/** One byte a second until the server answers or closes. */
async function drip(raw, bytes) {
  for (const byte of bytes) {
    if (raw.ended || raw.pending.length > 0) return;
    raw.write(Buffer.from([byte]));
    await pause(1000);
  }
}

for (const [part, split] of [['the headers', () => 20], ['the body', (bytes) => bytes.indexOf('\r\n\r\n') + 10]]) {
  scenario(`a sender of one byte a second of ${part} is answered 408 and cut off`, async (world) => {
    const system = await world.system();
    const { headers, body } = await delivery('issues', issue(7), { id: ID });
    const bytes = requestBytes('POST', PATH, { Host: system.pm.address, ...headers }, body);
    const raw = await world.connect(system.pm);
    raw.write(bytes.subarray(0, split(bytes)));
    const dripping = drip(raw, bytes.subarray(split(bytes)));
    expectProblem(await raw.response(150_000 * SLOW), 408);
    await raw.waitClosed();
    await dripping;
    await expectUnharmed(system);
  }, { timeout: 200_000 });
}

scenario('slow senders do not hold up others', async (world) => {
  const system = await world.system({ config: { workers: 1 } });
  const { headers, body } = await delivery('issues', issue(7), { id: ID });
  const bytes = requestBytes('POST', PATH, { Host: system.pm.address, ...headers }, body);
  for (let i = 0; i < 200; i++) {
    const raw = await world.connect(system.pm);
    await raw.write(bytes.subarray(0, (i * 7) % bytes.length));
  }
  for (let number = 1; number <= 20; number++) {
    const answer = await system.pm.send(await delivery('issues', issue(number)));
    assert.equal(answer.status, 200);
    assert.ok(answer.ms < 1000 * SLOW, `answered after ${answer.ms} ms`);
  }
});

scenario('a sender that is gone in the middle of the body leaves nothing behind', async (world) => {
  const system = await world.system();
  const { headers, body } = await delivery('issues', issue(7), { id: ID });
  const bytes = requestBytes('POST', PATH, { Host: system.pm.address, ...headers }, body);
  for (const cut of [1, 30, bytes.length - body.length - 1, bytes.length - body.length + 1, bytes.length - 1]) {
    for (const leave of ['destroy', 'finish']) {
      const raw = await world.connect(system.pm);
      await raw.write(bytes.subarray(0, cut));
      raw[leave]();
      await raw.waitClosed();
    }
  }
  await expectUnharmed(system);
});

withBothStores('a sender that is gone after the last byte: the event is done once', async (world, store) => {
  const { pm, legacy } = await world.system({ store });
  const event = await delivery('issues', issue(7), { id: ID });
  legacy.hold();
  const raw = await world.connect(pm);
  await raw.write(requestBytes('POST', PATH, { Host: pm.address, ...event.headers }, event.body));
  await legacy.wait(ID);
  raw.destroy();
  legacy.release();
  const second = await pm.send(event);
  assert.equal(second.json.status, 'duplicate', second.text);
  assert.equal(legacy.of(ID).length, 1);
});
