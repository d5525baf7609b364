import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './overload.mjs';
import { flatSeries, unaccounted, WATCHED } from './soak.mjs';

// ---- soak ----

const level = (t) => ({ t, ...Object.fromEntries(Object.keys(WATCHED).map((key) => [key, key === 'threads' ? 7 : 50e6])) });
const HOUR = Array.from({ length: 720 }, (_, i) => level(i * 5));
const growing = (samples) => flatSeries(samples).filter((v) => !v.flat).map((v) => v.key);

test('an hour in which nothing grows is flat', () => {
  assert.deepEqual(growing(HOUR), []);
});

test('each of the watched series that rises is named', () => {
  for (const key of Object.keys(WATCHED)) {
    const rising = HOUR.map((one) => ({ ...one, [key]: one[key] * (1 + one.t / 3600) }));
    assert.deepEqual(growing(rising), [key]);
  }
});

const ledger = (legacy, fresh, { twice = 0, both = 0 } = {}) =>
  ({ legacy: { distinct: legacy }, new: { distinct: fresh }, twice, both });
const RUN = { run: 'aaaaaaaa', mode: 'gradual', parallel: false, events: 100 };

test('a run is accounted for when each of its events was done once', () => {
  assert.deepEqual(unaccounted([RUN], { aaaaaaaa: ledger(75, 25) }), []);
});

test('an event that is missing, done twice, or done at both sides is not accounted for', () => {
  for (const said of [ledger(75, 24), ledger(75, 25, { twice: 1 }), ledger(76, 25, { both: 1 })]) {
    assert.equal(unaccounted([RUN], { aaaaaaaa: said }).length, 1);
  }
  assert.equal(unaccounted([RUN], {}).length, 1, 'the backends know nothing of the run');
});

test('what shadows did beside is allowed while the mode was parallel', () => {
  assert.deepEqual(unaccounted([{ ...RUN, parallel: true }], { aaaaaaaa: ledger(100, 60, { both: 60 }) }), []);
});

// ---- overload ----

const us = (p99) => ({ p99 });
const GOOD = {
  peak: { rate: 1000 }, usual: { latency_us: us(1000) }, memory: { first: 40e6, second: 41e6 },
  burst: { seconds: 1, planned: 2000, answers: { ok: 950, refused_503: 1050, other: 0 }, retry_after: 1050, broken: 0,
    latency_us: us(80_000), refused_latency_us: us(5000) },
  after: { latency_us: us(1500), answers: { refused_503: 0 } },
};
const broken = (over) => judge({ ...GOOD, ...over }).filter((row) => !row.kept).map((row) => row.what);
const burst = (over) => ({ burst: { ...GOOD.burst, ...over } });

test('an overload that is turned away in time is kept', () => {
  assert.deepEqual(broken({}), []);
});

test('each thing asked of an overload is judged', () => {
  const { answers } = GOOD.burst;
  assert.match(broken(burst({ answers: { ...answers, ok: 800, refused_503: 1200 }, retry_after: 1200 }))[0], /accepted, of the peak/);
  assert.match(broken(burst({ answers: { ...answers, refused_503: 500 }, retry_after: 500 }))[0], /answered/);
  assert.match(broken(burst({ retry_after: 1000 }))[0], /without Retry-After/);
  assert.match(broken(burst({ broken: 1 }))[0], /but 2xx and 503/);
  assert.match(broken(burst({ refused_latency_us: us(900_000) }))[0], /refused p99/);
  assert.match(broken(burst({ latency_us: us(4e6) }))[0], /accepted p99/);
  assert.match(broken({ after: { latency_us: us(90_000), answers: { refused_503: 0 } } })[0], /from 1 s after/);
  assert.match(broken({ memory: { first: 40e6, second: 90e6 } })[0], /memory/);
});

test('an overload that was not offered proves nothing', () => {
  assert.deepEqual(broken(burst({ planned: 1100 })), ['offered, times the peak']);
});
