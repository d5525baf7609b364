import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scale, short, spread } from './scale.mjs';
import { chart } from './svg.mjs';

test('a linear scale begins at 0 and ends at a tick at or above the highest value', () => {
  const y = scale({ low: 12, high: 47, from: 300, to: 100 });
  assert.deepEqual(y.ticks, [0, 10, 20, 30, 40, 50]);
  assert.equal(y.at(0), 300);
  assert.equal(y.at(50), 100);
  assert.equal(y.at(25), 200);
});

test('a linear scale of values that are all 0 still has a height', () => {
  const y = scale({ low: 0, high: 0, from: 300, to: 100 });
  assert.equal(y.at(0), 300);
  assert.ok(y.ticks.length >= 2);
});

test('a log scale has powers of ten, and steps between where there are few', () => {
  assert.deepEqual(scale({ kind: 'log', low: 1e4, high: 1e7, from: 0, to: 3 }).ticks, [1e4, 1e5, 1e6, 1e7]);
  assert.deepEqual(scale({ kind: 'log', low: 0.3, high: 1.5, from: 0, to: 1 }).ticks, [0.2, 0.5, 1, 2]);
});

test('on a log scale each factor of ten is equally long', () => {
  const x = scale({ kind: 'log', low: 100, high: 10000, from: 0, to: 200 });
  assert.deepEqual([100, 1000, 10000].map(x.at).map(Math.round), [0, 100, 200]);
});

test('a log scale refuses to begin at 0', () => {
  assert.throws(() => scale({ kind: 'log', low: 0, high: 5, from: 0, to: 1 }), /begins above 0/);
});

test('numbers are short', () => {
  assert.deepEqual([0, 0.0421, 7, 950, 10000, 1234567, 2.5e9].map(short), ['0', '0.042', '7', '950', '10 k', '1.2 M', '2.5 G']);
});

test('labels keep their distance, their order and the edges', () => {
  assert.deepEqual(spread([100, 102, 50], 15, 0, 200), [100, 115, 50]);
  assert.deepEqual(spread([198, 199], 15, 0, 200), [185, 200]);
});

test('a chart names axes, lines and limits, and escapes what they are called', () => {
  const svg = chart({
    title: 'a < b', x: { label: 'connections', kind: 'log' }, y: { label: 'ms' },
    series: [{ name: 'p50 & p99', points: [[100, 1], [1000, 2]] }], limits: [{ name: 'budget', y: 3 }],
  });
  for (const text of ['a &lt; b', 'connections', '>ms<', 'p50 &amp; p99', 'budget']) assert.ok(svg.includes(text), text);
  assert.ok(!svg.includes('NaN'));
});
