// The bench's tools: what they say must be true, or every figure made from it is not.

import assert from 'node:assert/strict';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { end, run, start } from './harness/children.mjs';
import { SECRET } from './harness/github.mjs';
import { BINARY } from './harness/pointsman.mjs';
import { scenario } from './harness/scenario.mjs';
import { until } from './harness/wait.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TOOLS = path.join(path.dirname(BINARY), 'bench');

async function load(port, ...args) {
  const always = ['--port', String(port), '--secret', SECRET, '--entities', '200'];
  const { code, stdout, stderr } = await run(path.join(TOOLS, 'load'), [...always, ...args], { cwd: ROOT });
  assert.notEqual(stdout, '', stderr);
  return { code, ...JSON.parse(stdout) };
}

/** The two backends, as something the world stops. */
async function ledger(world, ...args) {
  const { stdout } = await run(path.join(TOOLS, 'load'), ['--free-ports', '2']);
  const [legacy, neu] = stdout.trim().split('\n');
  const child = start(path.join(TOOLS, 'backend'), ['--legacy', legacy, '--new', neu, ...args]);
  const url = (port) => `http://127.0.0.1:${port}`;
  const of = async ({ run: name }) => (await (await fetch(url(legacy))).json())[name];
  world.adopt({ stop: () => end(child, 'SIGTERM') });
  await until('the ledger answers', async () => (await fetch(`${url(neu)}/healthz`)).ok);
  return { legacy, of, backends: { legacy: { url: url(legacy), stop() {} }, neu: { url: url(neu), stop() {} } } };
}

const total = ({ ok, accepted_202, duplicate, refused_503, other }) =>
  ok + accepted_202 + duplicate + refused_503 + other;

scenario('load: what was due and found no free connection counts, with the time it waited', async (world) => {
  const { legacy, of } = await ledger(world, '--latency-us', '50000');
  const report = await load(legacy, '--connections', '1', '--rate', '25', '--warm-up', '0', '--seconds', '2');
  assert.equal(report.code, 0);
  assert.ok(report.planned >= 50, `50 were planned, not ${report.planned}`);
  assert.ok(report.unsent > 0);
  assert.ok(report.sent <= report.seconds * 20 + 1, `${report.sent} over one connection that takes 50 ms each`);
  assert.equal(report.sent + report.unsent, report.planned);
  assert.equal(total(report.answers), report.sent);
  assert.ok(report.latency_us.p50 > 150_000, `the 25th was due 0.25 s before it was sent, not ${report.latency_us.p50} us`);
  assert.equal((await of(report)).legacy.distinct, report.total.events);
});

scenario('load: the share that is repeated carries ids that were sent before', async (world) => {
  const { legacy, of } = await ledger(world);
  const report = await load(legacy, '--count', '3000', '--duplicates', '30');
  assert.equal(report.sent, 3000);
  assert.ok(report.repeated > 500, `only ${report.repeated} of 3000`);
  const run = await of(report);
  assert.equal(run.legacy.requests, 3000);
  assert.equal(run.legacy.distinct, 3000 - report.repeated);
  assert.ok(run.twice > 0);
});

scenario('load: an answer that is not a 2xx fails it, a 503 only where it is not allowed', async (world) => {
  const wrong = await ledger(world, '--errors', '10=500');
  const failed = await load(wrong.legacy, '--count', '500', '--allow-503');
  assert.equal(failed.code, 1);
  assert.equal(failed.answers.other, (await wrong.of(failed)).errors);
  const busy = await ledger(world, '--errors', '10=503');
  const refused = await load(busy.legacy, '--count', '500');
  assert.equal(refused.code, 1);
  const allowed = await load(busy.legacy, '--count', '500', '--allow-503');
  assert.equal(allowed.code, 0);
  assert.ok(allowed.answers.refused_503 > 0);
  assert.equal(allowed.answers.ok, (await busy.of(allowed)).legacy.distinct);
});

scenario('load: real payloads of all kinds, in any size, over new connections, end where the ledger says', async (world) => {
  const { of, backends } = await ledger(world, '--percentage', '25', '--answer', '9000');
  const { pm } = await world.system({ mode: 'gradual', percentage: 25, ...backends });
  const port = pm.address.split(':').pop();
  const done = async (count, ...args) => {
    const report = await load(port, '--count', String(count), ...args);
    const run = await of(report);
    assert.equal(report.code, 0, JSON.stringify(report));
    assert.equal(run.legacy.distinct + run.new.distinct, count);
    assert.deepEqual([run.twice, run.both, run.wrong_side], [0, 0, 0]);
    assert.ok(run.new.distinct > 0 && run.legacy.distinct > run.new.distinct, JSON.stringify(run));
    return report;
  };
  await done(400, '--payloads', 'bench/payloads');
  await done(200, '--new-connections', '--idle', '20', '--distribution', 'zipf');
  for (const size of [1024, 300_000]) {
    const { body_bytes } = await done(60, '--body', String(size), '--connections', '8');
    assert.ok(Math.abs(body_bytes - size) <= 2, `${body_bytes} bytes, not ${size}`);
  }
});
