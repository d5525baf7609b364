// HTTP that is refused: wrong address, wrong method, too long, or ambiguous.

import assert from 'node:assert/strict';
import { bytesOf, delivery, issue, PATH } from './harness/github.mjs';
import { requestBytes } from './harness/http.mjs';
import { scenario } from './harness/scenario.mjs';

const opened = (number, options) => delivery('issues', issue(number), options);

/** */
const many = (n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`X-${i}`, '1']));

const REFUSED = {
  'another path': [404, { path: '/webhooks/gitlab' }],
  'a path that only begins the same': [404, { path: `${PATH}/more` }],
  'the root': [404, { path: '/' }],
  'a target of 20 KB': [414, { path: `${PATH}?${'a'.repeat(20_000)}` }],
  'headers of 70 KB': [431, { headers: { 'X-Long': 'a'.repeat(70_000) } }],
  'a hundred and more headers': [431, { headers: many(120) }],
};
for (const [what, [status, options]] of Object.entries(REFUSED)) {
  scenario(`${what} is answered ${status}`, async (world) => {
    const { pm, legacy } = await world.system();
    const raw = await world.connect(pm);
    raw.write(await bytesOf(pm, 1, { headers: options.headers, target: options.path }));
    const answer = await raw.response();
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.headers['content-type'], /^application\/problem\+json/);
    assert.equal(answer.json.status, status);
    assert.equal(legacy.count, 0);
    assert.equal((await pm.send(await opened(1))).status, 200);
  });
}

scenario('other methods are answered 405 with Allow', async (world) => {
  const { pm, legacy } = await world.system();
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    const answer = await pm.request(method, PATH);
    assert.equal(answer.status, 405, method);
    assert.equal(answer.headers.allow, 'POST');
    assert.equal(answer.body.length > 0, method !== 'HEAD', method);
  }
  assert.equal(legacy.count, 0);
});

const AMBIGUOUS = {
  'two Content-Lengths': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc',
  'a Content-Length list': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 3\r\n\r\nabc',
  'a signed Content-Length': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\nab',
  'a huge Content-Length': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551618\r\n\r\nab',
  'Content-Length and chunked':
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'chunked twice': 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n',
  'chunked in HTTP/1.0': 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'a space before the colon': 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 2\r\n\r\nab',
  'a folded line': 'POST / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n',
  'bare LF': 'POST / HTTP/1.1\nHost: a\n\n',
  'a NUL in a value': 'POST / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n',
  'no Host': 'POST / HTTP/1.1\r\nX: 1\r\n\r\n',
  'two Hosts': 'POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'an empty header name': 'POST / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n',
  'a line without colon': 'POST / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n',
  'a space in the target': 'POST /a b HTTP/1.1\r\nHost: a\r\n\r\n',
  'TLS': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'nothing like HTTP': 'hello there\r\n\r\n',
};
for (const [what, text] of Object.entries(AMBIGUOUS)) {
  scenario(`ambiguous HTTP is refused with 400 and the connection closed: ${what}`, async (world) => {
    const { pm, legacy } = await world.system({ source: { secrets: 'none' } });
    const raw = await world.connect(pm);
    raw.write(Buffer.from(text.replace('POST / ', `POST ${PATH} `), 'latin1'));
    const answer = await raw.response();
    assert.equal(answer.status, 400, answer.text);
    assert.match(answer.headers['content-type'], /^application\/problem\+json/);
    await raw.waitClosed();
    assert.equal(legacy.count, 0);
  });
}

for (const [what, chunk] of Object.entries({
  'a size with 0x': '0x2\r\nab\r\n0\r\n\r\n',
  'a size with a sign': '+2\r\nab\r\n0\r\n\r\n',
  'no size': '\r\n\r\n',
  'a size beyond 64 bits': '10000000000000002\r\nab\r\n0\r\n\r\n',
  'bytes behind the chunk': '2\r\nabXX0\r\n\r\n',
  'bare LF': '2\nab\n0\n\n',
})) {
  scenario(`a broken chunk is refused with 400 and the connection closed: ${what}`, async (world) => {
    const { pm, legacy } = await world.system({ source: { secrets: 'none' } });
    const raw = await world.connect(pm);
    const event = await opened(1, { headers: { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' } });
    raw.write(requestBytes('POST', PATH, { Host: pm.address, ...event.headers }, chunk));
    assert.equal((await raw.response()).status, 400);
    await raw.waitClosed();
    assert.equal(legacy.count, 0);
  });
}
