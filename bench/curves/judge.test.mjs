import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rng } from '../../tests/chaos/parts/rng.mjs';
import { flatness, lows, slope } from './judge.mjs';

const HOUR = Array.from({ length: 720 }, (_, i) => i * 5);

/** A series over an hour whose value at t is `of(t)`. */
const series = (of) => HOUR.map((t) => [t, of(t)]);

test('a level series with noise is flat', () => {
  const rng = new Rng('level');
  assert.equal(flatness(series(() => 30e6 + rng.real(-5e5, 5e5))).flat, true);
});

test('a slow leak under that noise is not flat', () => {
  const rng = new Rng('leak');
  assert.equal(flatness(series((t) => 30e6 + 600 * t + rng.real(-5e5, 5e5))).flat, false);
});

test('what grows only while caches fill is flat', () => {
  assert.equal(flatness(series((t) => 30e6 + 8e6 * Math.min(1, t / 800))).flat, true);
});

test('a saw is flat, whatever part of a tooth comes last', () => {
  for (const period of [70, 300, 410]) {
    assert.equal(flatness(series((t) => 10e6 + 4e6 * ((t % period) / period)), { share: 0.1 }).flat, true, `period ${period}`);
  }
});

test('a saw whose teeth stand higher and higher is not flat', () => {
  assert.equal(flatness(series((t) => 10e6 + 4e6 * ((t % 300) / 300) + 1000 * t), { share: 0.1 }).flat, false);
});

test('a few samples far off do not make a level series grow', () => {
  assert.equal(flatness(series((t) => (t > 3500 ? 90e6 : 30e6))).flat, true);
});

test('three descriptors more an hour are not flat where two are allowed', () => {
  assert.equal(flatness(series((t) => 20 + Math.floor(t / 300)), { share: 0, least: 2 }).flat, false);
  assert.equal(flatness(series((t) => 20 + (t > 1800 ? 1 : 0)), { share: 0, least: 2 }).flat, true);
});

test('what shrinks is flat', () => {
  assert.equal(flatness(series((t) => 50e6 - 5000 * t)).flat, true);
});

test('too few samples are no verdict', () => {
  assert.throws(() => flatness(HOUR.slice(0, 10).map((t) => [t, 1])), /at least 16/);
});

test('a slope does not follow outliers', () => {
  assert.equal(slope([[0, 0], [1, 2], [2, 400], [3, 6], [4, 8]]), 2);
});

test('the lows of connections that come and go are flat, with one that never goes they are not', () => {
  const rng = new Rng('lows');
  const busy = (t) => (rng.chance(0.5) ? 0 : rng.int(0, 100 + t / 20));
  assert.equal(flatness(lows(series((t) => 20 + busy(t))), { least: 4 }).flat, true);
  assert.equal(flatness(lows(series((t) => 20 + Math.floor(t / 200) + busy(t))), { least: 4 }).flat, false);
});
