// HTTP as senders and backends see it: connections, framing, headers, and what is refused.

import assert from 'node:assert/strict';
import { bytesOf, delivery, issue, PATH } from './harness/github.mjs';
import { requestBytes } from './harness/http.mjs';
import { scenario } from './harness/scenario.mjs';
import { until } from './harness/wait.mjs';

const opened = (number, options) => delivery('issues', issue(number), options);

// ---- connections ----

scenario('one connection carries many requests', async (world) => {
  const { pm, legacy } = await world.system();
  const raw = await world.connect(pm);
  for (let number = 1; number <= 20; number++) {
    raw.write(await bytesOf(pm, number));
    const answer = await raw.response();
    assert.equal(answer.status, 200);
    assert.notEqual(answer.headers.connection?.toLowerCase(), 'close');
  }
  assert.equal(legacy.count, 20);
  assert.equal(raw.ended, false);
});

scenario('pipelined requests are answered in order, however long each takes', async (world) => {
  const answer = (request) => {
    const { number } = JSON.parse(request.body).issue;
    return { delay: number % 3 === 0 ? 120 : 0, body: { number } };
  };
  const { pm } = await world.system({ legacy: { answer } });
  const raw = await world.connect(pm);
  const all = [];
  for (let number = 1; number <= 12; number++) all.push(await bytesOf(pm, number));
  raw.write(Buffer.concat(all));
  for (let number = 1; number <= 12; number++) {
    const got = await raw.response();
    assert.equal(got.json.number, number);
    assert.equal(got.headers['x-pointsman-event'], all[number - 1].id);
  }
});

scenario('a bad request behind good ones is answered last, then the connection is closed', async (world) => {
  const { pm, legacy } = await world.system({ legacy: { answer: { delay: 100 } } });
  const raw = await world.connect(pm);
  const bad = Buffer.from('POST / HTTP/1.1\r\nHost : x\r\n\r\n');
  raw.write(Buffer.concat([await bytesOf(pm, 1), bad, await bytesOf(pm, 2)]));
  assert.equal((await raw.response()).status, 200);
  assert.equal((await raw.response()).status, 400);
  await raw.waitClosed();
  assert.equal(legacy.count, 1);
});

scenario('Connection: close and HTTP/1.0 end the connection after the answer', async (world) => {
  const { pm, legacy } = await world.system({ legacy: { answer: { headers: { 'Transfer-Encoding': 'chunked' } } } });
  for (const options of [{ headers: { Connection: 'close' } }, { version: '1.0' }]) {
    const raw = await world.connect(pm);
    raw.write(await bytesOf(pm, 1, options));
    const answer = await raw.response();
    assert.deepEqual(answer.json, { backend: 'legacy' });
    if (options.version) assert.equal(answer.headers['transfer-encoding'], undefined);
    await raw.waitClosed();
  }
  assert.equal(legacy.count, 2);
});

scenario('a request that comes byte by byte is understood', async (world) => {
  const { pm } = await world.system();
  const raw = await world.connect(pm);
  for (const byte of await bytesOf(pm, 1)) await raw.write(Buffer.from([byte]));
  assert.equal((await raw.response()).status, 200);
});

// ---- framing ----

scenario('a chunked request reaches the backend with one Content-Length and the same bytes', async (world) => {
  const { pm, legacy } = await world.system();
  const event = await opened(1, { headers: { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' } });
  const pieces = [1, 2, 50, event.body.length];
  const parts = [requestBytes('POST', PATH, { Host: pm.address, ...event.headers })];
  let at = 0;
  for (const end of pieces) {
    const piece = event.body.subarray(at, end);
    parts.push(Buffer.from(`${piece.length.toString(16)};ext="x"\r\n`), piece, Buffer.from('\r\n'));
    at = end;
  }
  parts.push(Buffer.from('0\r\nX-Trailer: dropped\r\n\r\n'));
  const raw = await world.connect(pm);
  for (const part of parts) await raw.write(part);
  assert.equal((await raw.response()).status, 200);
  const [arrived] = legacy.requests;
  assert.ok(arrived.body.equals(event.body));
  assert.equal(arrived.headers['content-length'], String(event.body.length));
  assert.equal(arrived.headers['transfer-encoding'], undefined);
  assert.equal(arrived.headers['x-trailer'], undefined);
});

scenario('a chunked answer reaches the sender unchanged', async (world) => {
  const body = 'x'.repeat(300_000);
  const { pm } = await world.system({
    legacy: { answer: { status: 201, headers: { 'Transfer-Encoding': 'chunked' }, body } },
  });
  const answer = await pm.send(await opened(1));
  assert.deepEqual([answer.status, answer.text === body], [201, true]);
});

scenario('a 204 has no body and the connection goes on', async (world) => {
  const handler = (req, res) => res.writeHead(204).end();
  const { pm } = await world.system({ legacy: { handler } });
  const raw = await world.connect(pm);
  for (const number of [1, 2]) {
    raw.write(await bytesOf(pm, number));
    const answer = await raw.response();
    assert.deepEqual([answer.status, answer.headers['transfer-encoding'], answer.body.length], [204, undefined, 0]);
  }
});

scenario('Expect: 100-continue is answered before the body is sent, or with the refusal', async (world) => {
  const { pm, legacy } = await world.system({ config: { limits: { body: '64KiB' } } });
  const good = await opened(1, { headers: { Expect: '100-continue' } });
  const answer = await pm.send(good);
  assert.deepEqual([answer.status, answer.continued], [200, true]);
  assert.equal(legacy.requests[0].headers.expect, undefined);

  const raw = await world.connect(pm);
  raw.write(requestBytes('POST', PATH, { Host: pm.address, ...good.headers, 'Content-Length': 70_000 }));
  assert.equal((await raw.response()).status, 413, 'no 100 for what is too large');
});

scenario('a body of 20 MiB arrives byte for byte', async (world) => {
  const { pm, legacy } = await world.system({
    source: { deadline: '60s' }, config: { backends: { legacy: { timeout: '60s' } } },
  });
  const event = await delivery('issues', issue(1, { text: 'ü€😀 \\ "'.repeat(20 * 1024 * 1024 / 14) }));
  assert.ok(event.body.length > 20 * 1024 * 1024);
  const answer = await pm.send(event);
  assert.equal(answer.status, 200, answer.text);
  assert.ok(legacy.requests[0].body.equals(event.body));
});

// ---- headers ----

scenario('backends get the headers of the contract', async (world) => {
  const { pm, legacy, neu } = await world.system({
    mode: 'parallel', config: { backends: { legacy: { headers: { 'X-Team': 'blue' } } } },
  });
  const event = await opened(7);
  await pm.send(event);
  const [owner, shadow] = await Promise.all([legacy.wait(event.id), neu.wait(event.id)]);
  for (const [request, backend, role] of [[owner, 'legacy', 'owner'], [shadow, 'new', 'shadow']]) {
    const h = request.headers;
    assert.equal(request.method, 'POST');
    assert.equal(request.url, PATH);
    assert.equal(h['x-pointsman-event'], event.id);
    assert.equal(h['x-pointsman-role'], role);
    assert.equal(h['x-pointsman-backend'], backend);
    assert.equal(h['x-pointsman-attempt'], '1');
    assert.match(h['x-pointsman-fence'], /^[1-9]\d*$/);
    assert.equal(h['idempotency-key'], `"${event.id}"`);
    assert.equal(h['x-forwarded-for'], '127.0.0.1');
    assert.equal(h['x-forwarded-proto'], 'http');
    assert.equal(h['x-forwarded-host'], pm.address);
    assert.match(h.via, /^1\.1 \S+/);
    assert.match(h.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/);
    assert.equal(h['content-length'], String(event.body.length));
    assert.equal(h['user-agent'], 'GitHub-Hookshot/044aadd');
    assert.equal(h['x-github-event'], 'issues');
    assert.equal(h['x-github-delivery'], event.id);
    assert.equal(h['x-hub-signature-256'], event.headers['X-Hub-Signature-256']);
    const names = request.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    assert.equal(new Set(names).size, names.length, `a header came twice: ${names}`);
  }
  assert.equal(owner.headers['x-team'], 'blue');
  assert.equal(shadow.headers['x-team'], undefined);
});

scenario('what the sender says about forwarding and tracing is kept', async (world) => {
  const { pm, legacy } = await world.system();
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await pm.send(await opened(1, { headers: { traceparent, 'X-Forwarded-For': '203.0.113.7', Via: '1.1 edge' } }));
  const { headers } = legacy.requests[0];
  assert.match(headers.traceparent, /^00-0af7651916cd43dd8448eb211c80319c-/);
  assert.match(headers['x-forwarded-for'], /^203\.0\.113\.7, ?127\.0\.0\.1$/);
  assert.match(headers.via, /^1\.1 edge, ?1\.1 \S+/);
});

scenario('hop-by-hop headers stay here, and nothing that matters can be named one', async (world) => {
  const { pm, legacy } = await world.system({
    legacy: { answer: { headers: { 'Keep-Alive': 'timeout=5', 'X-Kept': 'yes' } } },
  });
  const raw = await world.connect(pm);
  const kept = { 'X-Kept': 'yes', 'Content-Encoding': 'identity', 'Accept-Encoding': 'gzip' };
  raw.write(await bytesOf(pm, 1, { headers: {
    Connection: 'keep-alive, X-Private, X-Hub-Signature-256, X-GitHub-Delivery, Content-Length, Host',
    'X-Private': '1', 'Keep-Alive': 'timeout=5', TE: 'trailers', 'Proxy-Connection': 'keep-alive', ...kept,
  } }));
  const answer = await raw.response();
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['x-kept'], 'yes');
  const { headers } = legacy.requests[0];
  for (const name of ['x-private', 'te', 'proxy-connection', 'upgrade']) assert.equal(headers[name], undefined, name);
  assert.notEqual(headers['keep-alive'], 'timeout=5');
  for (const [name, value] of Object.entries(kept)) assert.equal(headers[name.toLowerCase()], value);
  for (const name of ['x-hub-signature-256', 'x-github-delivery', 'content-length', 'host']) assert.ok(headers[name], name);
});

scenario('X-Pointsman-* headers of the sender are dropped, of the backend not passed on', async (world) => {
  const { pm, legacy } = await world.system({ legacy: { answer: { headers: { 'X-Pointsman-Mode': 'forged' } } } });
  const answer = await pm.send(await opened(1, { headers: {
    'X-Pointsman-Role': 'shadow', 'x-pointsman-event': 'forged', 'X-Pointsman-Anything': '1', 'X-Pointsman-Fence': '999999',
  } }));
  assert.equal(answer.headers['x-pointsman-mode'], 'legacy_only');
  const { headers, rawHeaders } = legacy.requests[0];
  assert.equal(headers['x-pointsman-role'], 'owner');
  assert.equal(headers['x-pointsman-anything'], undefined);
  assert.ok(!rawHeaders.includes('forged'));
  assert.ok(!rawHeaders.includes('999999'));
});

scenario('path and query are appended to the backend\'s own path', async (world) => {
  const { pm, legacy } = await world.system({ legacy: { path: '/base/v2' } });
  await pm.send(await opened(1), { query: '?a=1&b=%2F%20' });
  assert.equal(legacy.requests[0].url, `/base/v2${PATH}?a=1&b=%2F%20`);
});

scenario('a backend is found by name, and its connections are used again', async (world) => {
  const { legacy } = { legacy: await world.backend({ name: 'legacy' }) };
  const ports = new Set();
  legacy.handler = (req, res) => {
    ports.add(req.socket.remotePort);
    res.end('{}');
  };
  const { pm } = await world.system({
    legacy, config: { workers: 1, backends: { legacy: { url: `http://localhost:${legacy.port}` } } },
  });
  for (let number = 1; number <= 10; number++) assert.equal((await pm.send(await opened(number))).status, 200);
  assert.equal(ports.size, 1);
});

scenario('an idle connection the backend has closed is not used again', async (world) => {
  const { pm, legacy } = await world.system({ config: { workers: 1 } });
  for (let number = 1; number <= 5; number++) {
    assert.equal((await pm.send(await opened(number))).status, 200);
    await legacy.stop();
    await legacy.restart();
  }
  await until('all five arrived', () => legacy.count === 5);
});
