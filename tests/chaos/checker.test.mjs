// The checker is checked: hand-made records with each violation, and each legal oddity that must pass.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './checker/checker.mjs';
import { REASON, ROW } from './checker/history.mjs';

const LEASE = 6000;

/** A record of nothing; parts are added by its methods. */
class Book {
  #n = 0;
  record = {
    seed: 'hand', began: 0, healing: 90_000, healed: 95_000, ended: 100_000, wall: 0, calm: [], notes: [], wrong: [],
    run: {
      timeout: 1000, lease: LEASE, whenDown: 'hold', ladder: ['1s', '1s', '1s'],
      idempotent: { legacy: false, new: false },
      sources: {
        quick: { reply: 'backend' }, accepted: { reply: 'accepted' }, ordered: { reply: 'accepted', order: 'entity' },
      },
    },
    faults: [], modes: [], events: [], sends: [], ledger: [], journals: { a: [], b: [] }, store: { events: [], entities: [] },
  };

  event(id, { entity = 'repo#1', source = 'quick', verdict = 'ok' } = {}) {
    this.record.events.push({ id, source, entity, verdict, hash: `hash of ${id}` });
    return this;
  }

  send(event, from, status, more = {}) {
    this.record.sends.push({ event, inst: 'a', why: 'first', from, to: from + 10, status, ...more });
    return this;
  }

  /** An attempt open from..to; `effect`: when it had one; `status`: answered, without: the peer closed. */
  attempt(event, from, to, { side = 'legacy', role = 'owner', inst = 'a', status, effect, fence = '5', ...more } = {}) {
    const n = `1.${++this.#n}`;
    this.record.ledger.push({
      t: from, k: 'received', n, event, side, role, inst, attempt: 1, fence, key: `"${event}"`, hash: `hash of ${event}`, ...more,
    });
    if (effect !== undefined) this.record.ledger.push({ t: effect, k: 'effect', n });
    if (to !== undefined) this.record.ledger.push({ t: to, k: status ? 'answered' : 'closed', n, status });
    return this;
  }

  done(event, from, more = {}) {
    return this.attempt(event, from, from + 5, { status: 200, effect: from + 4, ...more });
  }

  row(id, state, { inst = 'a', reason = 0, tries = 0, changed = 0 } = {}) {
    this.record.journals[inst].push({ id, source: 'quick', state, reason, tries, changed: changed * 1000 });
    return this;
  }

  fault(name, from, to, opens) {
    this.record.faults.push({ name, from, to, opens: { lease: LEASE, ...opens } });
    return this;
  }

  run(over) {
    Object.assign(this.record.run, over);
    return this;
  }

  judge() {
    return judge(this.record);
  }
}

function book() {
  return new Book();
}

/** Which kinds of violations a verdict has, with how many. */
function broken(verdict) {
  return Object.fromEntries(Object.entries(verdict.violations).filter(([, list]) => list.length > 0)
    .map(([name, list]) => [name, list.length]));
}

function kept(given) {
  const verdict = given.judge();
  assert.deepEqual(broken(verdict), {});
  assert.equal(verdict.ok, true);
  return verdict;
}

function breaks(given, expected) {
  const verdict = given.judge();
  assert.deepEqual(broken(verdict), expected);
  assert.equal(verdict.ok, false);
  return verdict;
}

// ---- lost ----

test('an event answered 2xx with an effect is not lost', () => {
  kept(book().event('e').send('e', 0, 200).done('e', 2));
});

test('an event answered 2xx without effect and row is lost', () => {
  breaks(book().event('e').send('e', 0, 202, { word: 'queued' }), { lost: 1 });
});

test('an effect of a shadow does not make up for the owner\'s', () => {
  breaks(book().event('e').send('e', 0, 200).done('e', 2, { role: 'shadow', side: 'new' }), { lost: 1 });
});

test('a row that says done without an effect does not make up for it', () => {
  breaks(book().event('e').send('e', 0, 202).row('e', ROW.done), { lost: 1 });
});

test('an event that was answered "duplicate" and never done is lost', () => {
  breaks(book().event('e').send('e', 0, 503).send('e', 100, 200, { word: 'duplicate' }), { lost: 1 });
});

test('queued, sending, parked and dead events are not lost, at either instance', () => {
  const given = book().fault('hang', 0, 50, { doubt: 'all' });
  for (const [at, state] of [ROW.queued, ROW.sending, ROW.dead].entries()) {
    const id = `e${at}`;
    given.event(id, { entity: id }).send(id, 0, 202)
      .row(id, state, { inst: at % 2 ? 'a' : 'b', reason: REASON.unsent, tries: 4 });
  }
  given.event('p', { entity: 'p' }).send('p', 0, 202).attempt('p', 2, 30).row('p', ROW.parked, { reason: REASON.in_doubt, changed: 30 });
  kept(given);
});

test('an ignored event has no effect and is not lost', () => {
  kept(book().event('e', { verdict: 'ignored' }).send('e', 0, 200, { word: 'ignored' }));
});

test('an event that was told nothing good may be lost', () => {
  kept(book().event('e').send('e', 0, 503).send('e', 100, undefined, { error: 'ECONNRESET' }));
});

test('an event of which one sending was refused and a later one answered counts by the later one', () => {
  breaks(book().event('e').send('e', 0, 503).send('e', 50, 202), { lost: 1 });
});

// ---- doubled ----

test('two effects of one leg are doubled', () => {
  const verdict = breaks(book().event('e').send('e', 0, 200).done('e', 2).done('e', 100), { doubled: 1 });
  assert.equal(verdict.violations.doubled[0].event, 'e');
});

test('effects of one event at both sides are doubled, also where both are idempotent', () => {
  const given = book().run({ idempotent: { legacy: true, new: true } });
  breaks(given.event('e').send('e', 0, 200).done('e', 2).done('e', 100, { side: 'new', fence: '6' }), { doubled: 1 });
});

test('a duplicate answered 200 without another attempt is legal', () => {
  kept(book().event('e').send('e', 0, 200).done('e', 2).send('e', 100, 200, { word: 'duplicate' }));
});

test('the effects of owner and shadow of one event are legal', () => {
  kept(book().event('e').send('e', 0, 200).done('e', 2).done('e', 2, { role: 'shadow', side: 'new' }));
});

test('a shadow\'s effect and later the same side\'s as owner are legal', () => {
  const given = book().event('e').send('e', 0, 500).attempt('e', 2, 6, { status: 500 });
  kept(given.done('e', 2, { role: 'shadow', side: 'new' }).send('e', 90, 200).done('e', 100, { side: 'new', fence: '6' }));
});

test('an event in doubt that an idempotent backend got again is legal', () => {
  const given = book().run({ idempotent: { legacy: true, new: false } }).fault('hang', 0, 50, { doubt: { side: 'legacy' } });
  kept(given.event('e').send('e', 0, 202).attempt('e', 2, 1002, { effect: 5 }).done('e', 1200));
});

test('the same without the declaration is doubled, fault or not', () => {
  const given = book().fault('hang', 0, 50, { doubt: { side: 'legacy' } });
  breaks(given.event('e').send('e', 0, 202).attempt('e', 2, 1002, { effect: 5 }).done('e', 1200), { doubled: 1 });
});

test('an effect that comes late, after the peer closed, still counts', () => {
  const given = book().fault('stop', 0, 1500, { doubt: { side: 'legacy' } });
  breaks(given.event('e').send('e', 0, 202).attempt('e', 2, 1002, { effect: 1500 }).done('e', 1200), { doubled: 1 });
});

test('a refused attempt and a second with an effect are one effect', () => {
  kept(book().event('e').send('e', 0, 202).attempt('e', 2, 6, { status: 503 }).done('e', 300));
});

test('a rejected event that was sent again and done is one effect', () => {
  kept(book().event('e').send('e', 0, 422).attempt('e', 2, 6, { status: 422 }).send('e', 90, 200).done('e', 100));
});

// ---- overlapping attempts and two owners ----

test('two open attempts of one event at once are told, also without effects', () => {
  breaks(book().event('e').send('e', 0, 503).attempt('e', 2, 900).attempt('e', 500, 700, { inst: 'b' }), { overlapping: 1 });
});

test('one attempt that ends when the next begins does not overlap it', () => {
  kept(book().event('e').send('e', 0, 503).attempt('e', 2, 500).attempt('e', 500, 700, { inst: 'b' }));
});

test('open attempts of two events of one entity at two sides are two owners', () => {
  const given = book().event('e').event('f').send('e', 0, 200).send('f', 0, 200);
  given.attempt('e', 10, 500, { status: 200, effect: 490 }).attempt('f', 200, 300, { side: 'new', status: 200, effect: 290, fence: '6' });
  breaks(given, { two_owners: 1 });
});

test('an attempt that was never closed is open to the end of the record', () => {
  const given = book().event('e').event('f').send('e', 0, 500).send('f', 0, 200);
  breaks(given.attempt('e', 10).done('f', 50_000, { side: 'new', fence: '6' }), { two_owners: 1 });
});

test('overlapping attempts of one entity at one side are legal', () => {
  const given = book().event('e').event('f').send('e', 0, 200).send('f', 0, 200);
  kept(given.attempt('e', 10, 500, { status: 200, effect: 490 }).attempt('f', 200, 300, { status: 200, effect: 290 }));
});

test('the same entity in two sources is two entities', () => {
  const given = book().event('e').event('f', { source: 'accepted' }).send('e', 0, 200).send('f', 0, 202);
  kept(given.attempt('e', 10, 500, { status: 200, effect: 490 }).attempt('f', 200, 300, { side: 'new', status: 200, effect: 290 }));
});

test('a shadow beside the owner of parallel mode is not a second owner', () => {
  const given = book().event('e').event('f').send('e', 0, 200).send('f', 0, 200).done('e', 10).done('f', 12);
  kept(given.attempt('e', 10, 500, { side: 'new', role: 'shadow' }).attempt('f', 12, 400, { side: 'new', role: 'shadow' }));
});

test('one after the other at two sides is legal with a higher fence, and told without', () => {
  const make = (fence) => book().event('e').event('f').send('e', 0, 200).send('f', 0, 200)
    .done('e', 10, { fence: '1700000000000005' }).done('f', 100, { side: 'new', fence });
  kept(make('1700000000000006'));
  breaks(make('1700000000000005'), { two_owners: 1 });
  breaks(make('1700000000000004'), { two_owners: 1 });
});

test('an attempt that was given up before the backend looked at it may come late with its lower fence', () => {
  const given = book().event('e').event('f').send('e', 0, 504).send('f', 0, 200).done('f', 10, { side: 'new', fence: '6' });
  kept(given.attempt('e', 100, 100, { fence: '5', late: true }).event('g').send('g', 90, 200)
    .attempt('g', 90, 110, { side: 'new', fence: '6', status: 200, effect: 105 }));
});

// ---- what is counted apart ----

const twice = (given) => given.event('e').send('e', 0, 200).done('e', 1000).send('e', 8000, 200).done('e', 8002);

test('a doubling across a store that forgot is counted apart', () => {
  const verdict = kept(twice(book().fault('redis_emptied', 4000, 4500, { store_lost: true })));
  assert.equal(verdict.apart.store_lost.length, 1);
});

test('a store that forgot before or after both explains nothing', () => {
  breaks(twice(book().fault('redis_emptied', 100, 500, { store_lost: true })), { doubled: 1 });
  breaks(twice(book().fault('redis_emptied', 20_000, 20_500, { store_lost: true })), { doubled: 1 });
});

test('a store that was away and kept everything explains nothing where nobody claims alone', () => {
  breaks(twice(book().fault('redis_killed', 4000, 4500, { doubt: 'all', away: true })), { doubled: 1 });
});

test('a doubling while instances claim alone is counted apart', () => {
  const verdict = kept(twice(book().fault('redis_killed', 900, 8500, { local: true })));
  assert.equal(verdict.apart.local.length, 1);
});

const stopped = (given, inst) => given.event('e').event('f').send('e', 0, 503).send('f', 7000, 200)
  .attempt('e', 10, 8000, { inst }).done('f', 7000, { side: 'new', inst: 'b', fence: '6' });

test('two owners beside an instance that stood still for longer than its lease are counted apart', () => {
  const verdict = kept(stopped(book().fault('stop', 100, 8000, { paused: { inst: 'a' } }), 'a'));
  assert.equal(verdict.apart.paused.length, 1);
});

test('a standstill of the other instance explains nothing', () => {
  breaks(stopped(book().fault('stop', 100, 8000, { paused: { inst: 'c' } }), 'a'), { two_owners: 1 });
});

test('a standstill within the lease explains nothing', () => {
  breaks(stopped(book().fault('stop', 6500, 8000, { paused: { inst: 'a' } }), 'a'), { two_owners: 1 });
});

// ---- doubt and death ----

const parked = (given) => given.event('e').send('e', 1000, 202, { word: 'in_doubt' }).attempt('e', 1002, 2002)
  .row('e', ROW.parked, { reason: REASON.in_doubt, changed: 2003 });

test('an event in doubt whose attempt overlaps a fault is legal and counted', () => {
  assert.equal(kept(parked(book().fault('hang', 500, 1500, { doubt: { side: 'legacy' } }))).doubts.count, 1);
  assert.equal(kept(parked(book().fault('kill', 1500, 1600, { doubt: { inst: 'a' } }))).doubts.count, 1);
});

test('an event in doubt without a fault is told', () => {
  breaks(parked(book()), { doubt_unexplained: 1 });
});

test('a machine that stood still explains a doubt, as the driver or the backends noticed it', () => {
  const driver = parked(book());
  driver.record.stalls = [{ from: 1500, to: 1700 }];
  kept(driver);
  const backends = parked(book());
  backends.record.ledger.push({ t: 1700, k: 'stall', from: 1500 });
  kept(backends);
});

test('a fault of another time, side, instance or kind does not explain a doubt', () => {
  breaks(parked(book().fault('hang', 5000, 6000, { doubt: 'all' })), { doubt_unexplained: 1 });
  breaks(parked(book().fault('hang', 500, 1500, { doubt: { inst: 'b' } })), { doubt_unexplained: 1 });
  breaks(parked(book().fault('500', 500, 1500, {})), { doubt_unexplained: 1 });
  const elsewhere = book().event('e').send('e', 1000, undefined, { error: 'no answer', inst: 'a' })
    .attempt('e', 1002, 2002, { side: 'new' }).fault('hang', 3000, 3500, { doubt: { side: 'legacy' } })
    .row('e', ROW.parked, { reason: REASON.in_doubt, changed: 2003 });
  breaks(elsewhere, { doubt_unexplained: 1 });
});

test('a leg that only the store holds in doubt needs a fault too', () => {
  const leg = `6010 ${'a'.repeat(32)} 00001 ${'1'.repeat(16)} ${'2'.repeat(16)} 000`;
  const given = (faults) => {
    const made = faults(book().event('e').send('e', 1000, 504, { word: 'in_doubt' }).attempt('e', 1002, 2002));
    made.record.store.events.push({ key: 'pointsman:ev:quick:e', text: `1 ${'3'.repeat(16)} 0 ${leg} - repo#1\0why\0digest` });
    return made;
  };
  breaks(given((made) => made), { doubt_unexplained: 1 });
  assert.equal(kept(given((made) => made.fault('hang', 500, 1500, { doubt: 'all' }))).doubts.count, 1);
});

const dead = (reason, tries, status) => book().event('e').send('e', 0, 202).attempt('e', 2, 5, { status })
  .row('e', ROW.dead, { reason, tries });

test('a dead event was rejected or went up the whole ladder', () => {
  kept(dead(REASON.rejected, 1, 422));
  kept(dead(REASON.not_done, 4, 500));
  kept(dead(REASON.unsent, 3, 503));
});

test('a rejection that was cut off after its head is one', () => {
  const given = dead(REASON.rejected, 1);
  given.record.ledger.push({ t: 4, k: 'said', n: '1.1', status: 422 });
  kept(given);
});

test('a dead event that was neither is told', () => {
  breaks(dead(REASON.rejected, 1, 500), { dead_unexplained: 1 });
  breaks(dead(REASON.not_done, 2, 500), { dead_unexplained: 1 });
  breaks(dead(REASON.in_doubt, 4, 500), { dead_unexplained: 1 });
});

// ---- the rest ----

test('an event that leaves its pin for new while the mode was gradual all the time has strayed', () => {
  const make = (modes) => {
    const given = book().event('e').send('e', 5000, 202).attempt('e', 5002, 5010, { status: 500 });
    given.done('e', 6000, { side: 'new', fence: '6' }).record.modes.push(...modes);
    return given;
  };
  const gradual = (t, percentage) => ({ t, mode: 'gradual', percentage, sure: true, everywhere: t + 10 });
  breaks(make([gradual(100, 1), gradual(5500, 99)]), { strayed: 1 });
  kept(make([gradual(100, 1), { t: 5500, mode: 'new_only', percentage: 100, sure: true, everywhere: 5510 }]));
  kept(make([gradual(100, 1), { ...gradual(5500, 99), sure: false }]));
  kept(make([gradual(4500, 99)]));
});

test('an event that falls back from new to legacy, or is tried again at new, has not strayed', () => {
  for (const side of ['legacy', 'new']) {
    const given = book().event('e').send('e', 5000, 202).attempt('e', 5002, 5010, { side: 'new', status: 500 });
    given.record.modes.push({ t: 0, mode: 'gradual', percentage: 50, sure: true, everywhere: 1 });
    kept(given.done('e', 6000, { side, fence: '6' }));
  }
});

const line = (source, more = {}) => book().event('e', { source }).event('f', { source })
  .send('e', 0, 202).send('f', 100, 202, more).attempt('e', 50, 60, { status: 500 }).done('f', 200).done('e', 300);

test('an event that overtakes one of its entity is told where order is promised', () => {
  breaks(line('ordered'), { out_of_order: 1 });
  kept(line('accepted'));
});

test('the order of two instances, of overlapping sendings and of redelivered events is nobody\'s promise', () => {
  kept(line('ordered', { inst: 'b' }));
  kept(line('ordered', { from: 5 }));
  kept(line('ordered').send('e', 150, 202));
});

test('what is dead or in doubt lets the next one pass', () => {
  kept(line('ordered').fault('hang', 0, 100, { doubt: 'all' }).row('e', ROW.parked, { reason: REASON.in_doubt, changed: 60 }));
});

test('another body, another key and unwanted or unknown events at a backend are told', () => {
  breaks(book().event('e').send('e', 0, 200).done('e', 2, { hash: 'another' }), { mangled: 1 });
  breaks(book().event('e').send('e', 0, 200).done('e', 2, { key: '"f"' }), { mangled: 1 });
  breaks(book().event('e', { verdict: 'ignored' }).send('e', 0, 200, { word: 'ignored' }).done('e', 2), { mangled: 1 });
  breaks(book().done('stranger', 2), { mangled: 1 });
});

test('a request that was cut off has no body to compare', () => {
  kept(book().event('e').send('e', 0, 503).attempt('e', 2, 3, { hash: undefined, partial: true }));
});

test('in calm stretches events are answered by a backend', () => {
  const calm = { why: 'calm', from_backend: true };
  const make = (n) => {
    const given = book();
    for (let i = 0; i < n; i++) given.event(`e${i}`, { entity: `${i}` }).send(`e${i}`, i * 10, 200, calm).done(`e${i}`, i * 10 + 2);
    return given;
  };
  assert.deepEqual(kept(make(10)).availability, { sent: 10, answered: 10 });
  const queued = make(10).event('q', { entity: 'q' }).send('q', 500, 202, { why: 'calm', word: 'queued' }).done('q', 900);
  breaks(queued, { unavailable: 1 });
  kept(make(1100).event('q', { entity: 'q' }).send('q', 500, 503, { why: 'calm' }));
});

test('where the sender is answered before, a calm event counts when it was done', () => {
  const make = () => book().event('e', { source: 'accepted' }).send('e', 0, 202, { why: 'calm', word: 'accepted' });
  kept(make().done('e', 20));
  breaks(make().row('e', ROW.queued), { unavailable: 1 });
});

test('queues that are not empty within the bound, and ends nobody asked for, are told', () => {
  const late = book();
  late.record.missed = 'after 60000 ms queued: 3, 0';
  breaks(late, { not_healed: 1 });
  const crashed = book();
  crashed.record.wrong.push('a ended by itself with SIGSEGV');
  breaks(crashed, { crashed: 1 });
});

test('the longest unavailability runs from the first sending that failed to the end of the last in a row', () => {
  const given = book();
  [[0, 200], [100, 503], [400, undefined], [800, 503], [3000, 200], [3100, 503]].forEach(([t, status], i) => {
    given.event(`e${i}`, { entity: `${i}` }).send(`e${i}`, t, status);
    if (status === 200) given.done(`e${i}`, t);
  });
  assert.equal(given.judge().longest_unavailability_ms, 710);
});
