// The judgement: what is within the figures, what is not, and what is said about it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCallgrind, sumOf } from './callgrind_file.mjs';
import { differences, judge, sums } from './judge.mjs';
import { readStrace } from './strace_file.mjs';

const instructions = (figures, costs, profile) =>
  judge({ name: 'full', kind: 'instructions', figures, profile, costs, floor: 100 });

test('what is within half a per cent and a little is well', () => {
  assert.deepEqual(instructions({ pointsman: 50_000 }, { 'pointsman:a': 30_000, 'pointsman:b': 20_440 }), []);
  assert.deepEqual(instructions({ pointsman: 50_000 }, { 'pointsman:a': 49_560 }), []);
});

test('more than that is told with what is allowed and the function that grew', () => {
  const profile = { 'pointsman:a': 30_000, 'pointsman:b': 20_000 };
  const lines = instructions({ pointsman: 50_000 }, { 'pointsman:a': 30_001, 'pointsman:b': 21_500 }, profile);
  assert.match(lines[0], /more instructions per event of pointsman: 51,501, allowed are 50,000 ± 450/);
  assert.match(lines[2], /\+1,500 +20,000 -> 21,500 {2}pointsman:b/);
  assert.equal(lines.length, 3);
});

test('fewer is told too: a figure that is too high would hide a later loss', () => {
  assert.match(instructions({ pointsman: 50_000 }, { 'pointsman:a': 40_000 })[0], /fewer instructions/);
});

test('each library is judged by itself: a copy of a body does not hide behind the digest', () => {
  const figures = { 'libcrypto.so.3': 388_000, 'libc.so.6': 15_700 };
  const wrong = differences('instructions', figures, { 'libcrypto.so.3': 388_000, 'libc.so.6': 17_300 });
  assert.deepEqual(wrong.map(({ name }) => name), ['libc.so.6']);
});

test('what turns with the time that passes has room of its own', () => {
  const figures = { pointsman: 50_000, 'pointsman, loop and timers': 3000 };
  assert.deepEqual(differences('instructions', figures, { pointsman: 50_000, 'pointsman, loop and timers': 4400 }), []);
  assert.deepEqual(differences('instructions', figures, { pointsman: 50_000, 'pointsman, loop and timers': 2000 }), []);
  assert.equal(differences('instructions', figures, { pointsman: 50_000, 'pointsman, loop and timers': 4600 }).length, 1);
  assert.equal(differences('instructions', figures, { pointsman: 50_700, 'pointsman, loop and timers': 3000 }).length, 1);
});

test('an object that no figure names may cost only a little', () => {
  assert.deepEqual(differences('instructions', {}, { 'libm.so.6': 8 }), []);
  assert.equal(differences('instructions', {}, { 'libz.so.1': 800 }).length, 1);
});

test('a function that the profile left out is listed by what it is above the floor', () => {
  const lines = instructions({ pointsman: 0 }, { 'pointsman:new': 1000, 'pointsman:small': 90 }, {});
  assert.match(lines[2], /\+900 +under 100 -> 1,000 {2}pointsman:new/);
  assert.equal(lines.length, 3);
});

test('one more call per event is told, a wait more or less is chance', () => {
  const figures = { recvfrom: 5, epoll_wait: 4.5, futex: 1.5 };
  const calls = (costs) => judge({ name: 'full', kind: 'calls', figures, profile: figures, costs });
  assert.deepEqual(calls({ recvfrom: 5.06, epoll_wait: 4.9, futex: 1 }), []);
  assert.match(calls({ recvfrom: 6, epoll_wait: 4.5, futex: 1.5 })[0], /more calls per event of recvfrom: 6.00, allowed are 5.00 ± 0.10/);
  assert.match(calls({ recvfrom: 5, epoll_wait: 4.5, futex: 1.5, fsync: 1 })[0], /fsync: 1.00, allowed are 0.00 ± 0.10/);
  assert.match(calls({ recvfrom: 4, epoll_wait: 4.5, futex: 1.5 })[0], /fewer calls per event of recvfrom/);
});

test('batched calls are judged together and only upwards', () => {
  const batched = (costs) => judge({ name: 'full', kind: 'batched', figures: { all: 6 }, profile: {}, costs });
  assert.deepEqual(batched({ recvfrom: 3, sendmsg: 3.8 }), []);
  assert.deepEqual(batched({ recvfrom: 1 }), []);
  assert.match(batched({ recvfrom: 3, sendmsg: 4 })[0], /of all: 7.00, allowed are at most 6.90/);
});

test('a case without figures is not well', () => {
  assert.match(judge({ name: 'full', kind: 'calls', costs: {} })[0], /no figures .* make cost UPDATE=1/);
});

test('instructions are added up by object', () => {
  assert.deepEqual(sums('instructions', { 'a:x': 1, 'a:y::z': 2, 'b:x': 4 }), { a: 3, b: 4 });
});

test('callgrind: own costs are read, those of called functions are not, parts of a split function are one', () => {
  const text = [
    'summary: 37', '', 'ob=/usr/bin/thing', 'fl=a.c', 'fn=f', '12 10', 'cob=/lib/libc.so.6', 'cfi=b.c', 'cfn=g', 'calls=2 7',
    '13 20', '14 5', 'fn=f.part.0', 'fi=inline.h', '3 2', 'ob=/lib/libc.so.6', 'fl=b.c', 'fn=g', '7 20', '',
  ].join('\n');
  assert.deepEqual(readCallgrind(text), [
    { object: 'libc.so.6', file: 'b.c', name: 'g', count: 20 },
    { object: 'thing', file: 'a.c', name: 'f', count: 17 },
  ]);
  assert.equal(sumOf(text), 37);
});

test('strace: a call counts where it begins, by thread', () => {
  const text = [
    '12  recvfrom(5,  <unfinished ...>', '13  write(2, ""..., 9) = 9', '12  <... recvfrom resumed>"", 9, 0, NULL, NULL) = 9',
    '12  recvfrom(5, 0x1, 9, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)', '13  +++ exited with 0 +++', '',
  ].join('\n');
  const threads = readStrace(text);
  assert.deepEqual([...threads.get('12')], [['recvfrom', 2]]);
  assert.deepEqual([...threads.get('13')], [['write', 1]]);
});
