// The table of faults: what each does, how it is healed, and what it can explain.
//
// A row: {on, ms: [shortest, longest], params(rng, run), inject(world, target, params) → heal, opens(target, params, run)}.
// `on` says what it occupies while it lasts: an instance, a backend's side, redis, a link, a disk, a clock, or both
// backends. `opens` names what may go wrong because of it, and only because of it:
//
//   doubt        "all", {inst} or {side}: attempts that overlap it may end in doubt
//   store_lost   the store forgot what it had acknowledged
//   away         the store is away: with when_down: local, instances claim alone
//   paused       {inst}: stood still for longer than its lease

import { leaseOf } from './parts/config.mjs';
import { sleep } from './parts/clock.mjs';

const SIDES = ['legacy', 'new'];
const REDIS_AWAY = () => ({ doubt: 'all', away: true });
const atSide = (side) => ({ doubt: { side } });
const atInstance = (inst) => ({ doubt: { inst } });
const nothing = () => ({});

const instances = (world) => world.instances.map((one) => one.name);
const theRedis = () => ['redis'];

/** A backend that behaves otherwise. */
function behaviour(name, opens, params) {
  return {
    on: 'backend',
    targets: () => SIDES,
    ms: [1500, 4000],
    params,
    async inject(world, side, behave) {
      await world.ledger.behave(side, name, behave);
      return () => world.ledger.behave(side, name, undefined);
    },
    opens,
  };
}

/** Redis is told something, and told to forget it. */
function setting(on, off) {
  return {
    on: 'redis',
    targets: theRedis,
    ms: [1000, 3000],
    params: () => ({}),
    async inject(world) {
      for (const args of on) await world.redis.call(args);
      return async () => {
        for (const args of off) await world.redis.call(args, 10_000);
      };
    },
    opens: REDIS_AWAY,
  };
}

function link(state, ms) {
  return {
    on: 'link',
    targets: (world) => (world.namespace ? [] : [...instances(world), 'all']),
    ms,
    params: () => ({}),
    async inject(world, which) {
      const names = which === 'all' ? instances(world) : [which];
      for (const name of names) await world.links.set(name, state);
      return async () => {
        for (const name of names) await world.links.set(name, 'open');
      };
    },
    opens: REDIS_AWAY,
  };
}

export const FAULTS = {
  // ---- instances ----
  instance_killed: {
    on: 'instance',
    targets: instances,
    ms: [100, 2500],
    params: () => ({}),
    async inject(world, name) {
      await world.instance(name).kill9();
      return () => world.revive(name);
    },
    opens: atInstance,
  },
  instance_stopped: {
    on: 'instance',
    targets: instances,
    ms: [300, 3000],
    params: () => ({}),
    async inject(world, name) {
      world.instance(name).stop();
      return () => world.instance(name).resume();
    },
    opens: atInstance,
  },
  instance_stopped_past_lease: {
    on: 'instance',
    targets: instances,
    ms: [7000, 8000],
    params: () => ({}),
    async inject(world, name) {
      world.instance(name).stop();
      return () => world.instance(name).resume();
    },
    opens: (inst) => ({ doubt: { inst }, paused: { inst } }),
  },
  instance_terminated: {
    on: 'instance',
    targets: instances,
    ms: [100, 800],
    params: () => ({}),
    async inject(world, name) {
      await world.instance(name).term();
      return () => world.revive(name);
    },
    opens: nothing,
  },
  instance_upgraded: {
    on: 'instance',
    targets: instances,
    ms: [100, 500],
    params: () => ({}),
    async inject(world, name) {
      if (!(await world.instance(name).upgrade())) world.notes.push(`${name} could not be taken over`);
      return () => world.revive(name);
    },
    opens: nothing,
  },
  clock_jumped: {
    on: 'clock',
    targets: (world) => world.instances.filter((one) => one.hasClock).map((one) => one.name),
    ms: [2000, 4000],
    params: (rng) => ({ seconds: rng.pick([-3600, -30, -5, 5, 30, 3600, 86400 * 40]) }),
    async inject(world, name, { seconds }) {
      world.instance(name).jump(seconds);
      return () => world.instance(name).jump(0);
    },
    opens: nothing,
  },

  // ---- disks ----
  disk_full: {
    on: 'disk',
    targets: instances,
    ms: [1500, 4000],
    params: () => ({}),
    async inject(world, name) {
      await world.disks.fill(name);
      return () => world.disks.free(name);
    },
    opens: nothing,
  },
  fsync_failing: {
    on: 'disk',
    targets: instances,
    ms: [1000, 3000],
    params: () => ({}),
    async inject(world, name) {
      world.disks.set(name, 'fail_sync', -1);
      return () => world.disks.set(name, 'fail_sync', 0);
    },
    // A row whose change failed says "sending" until the next start.
    opens: atInstance,
  },
  fsync_slow: {
    on: 'disk',
    targets: instances,
    ms: [1500, 4000],
    params: (rng) => ({ ms: rng.int(50, 600) }),
    async inject(world, name, { ms }) {
      world.disks.set(name, 'slow_sync_ms', ms);
      return () => world.disks.set(name, 'slow_sync_ms', 0);
    },
    opens: nothing,
  },

  // ---- redis ----
  redis_killed: {
    on: 'redis',
    targets: theRedis,
    ms: [100, 3000],
    params: () => ({}),
    async inject(world) {
      await world.redis.kill9();
      return () => world.redis.start();
    },
    opens: REDIS_AWAY,
  },
  redis_emptied: {
    on: 'redis',
    targets: theRedis,
    ms: [50, 1500],
    params: () => ({}),
    async inject(world) {
      await world.redis.kill9();
      world.redis.wipe();
      return () => world.redis.start();
    },
    opens: () => ({ doubt: 'all', away: true, store_lost: true }),
  },
  redis_stopped: {
    on: 'redis',
    targets: theRedis,
    ms: [500, 4000],
    params: () => ({}),
    async inject(world) {
      world.redis.stop();
      return () => world.redis.resume();
    },
    opens: REDIS_AWAY,
  },
  redis_stopped_past_lease: {
    on: 'redis',
    targets: theRedis,
    ms: [7000, 8000],
    params: () => ({}),
    async inject(world) {
      world.redis.stop();
      return () => world.redis.resume();
    },
    opens: REDIS_AWAY,
  },
  redis_paused: {
    on: 'redis',
    targets: theRedis,
    ms: [500, 3000],
    // A pause of all cannot be ended by a command: that would wait, too.
    params: (rng) => ({ kind: rng.pick(['ALL', 'WRITE']), ms: rng.int(500, 3000) }),
    async inject(world, _target, { kind, ms }) {
      await world.redis.call(['CLIENT', 'PAUSE', ms, kind]);
      return async () => {
        await world.redis.call(['PING'], 10_000);
        await world.redis.call(['CLIENT', 'UNPAUSE'], 10_000);
      };
    },
    opens: REDIS_AWAY,
  },
  redis_out_of_memory: setting([['CONFIG', 'SET', 'maxmemory', '1']], [['CONFIG', 'SET', 'maxmemory', '0']]),
  redis_readonly: setting([['REPLICAOF', '127.0.0.1', '1']], [['REPLICAOF', 'NO', 'ONE']]),
  redis_functions_lost: setting([['FUNCTION', 'FLUSH']], []),
  redis_clients_killed: setting([['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']], []),
  redis_cut_off: {
    on: 'redis',
    targets: (world) => (world.namespace ? ['redis'] : []),
    ms: [500, 4000],
    params: () => ({}),
    async inject(world) {
      world.namespace.cut();
      return () => world.namespace.mend();
    },
    opens: REDIS_AWAY,
  },
  link_cut: link('cut', [300, 3000]),
  link_held: link('hold', [500, 4000]),
  link_held_past_lease: link('hold', [7000, 8000]),
  link_deaf: link('deaf', [500, 4000]),

  // ---- backends ----
  backend_refusing: {
    on: 'backend',
    targets: () => SIDES,
    ms: [1000, 4000],
    params: (rng) => ({ cut: rng.chance(0.5) }),
    async inject(world, side, { cut }) {
      await world.ledger.tell(side, 'refuse', { cut });
      return () => world.ledger.tell(side, 'listen');
    },
    opens: (side, { cut }) => (cut ? atSide(side) : {}),
  },
  backend_killed: {
    on: 'backend',
    targets: () => SIDES,
    ms: [300, 3000],
    params: () => ({}),
    async inject(world, side) {
      await world.ledger.tell(side, 'die');
      return () => world.ledger.tell(side, 'listen');
    },
    opens: atSide,
  },
  backend_stopped: {
    on: 'backend',
    targets: () => SIDES,
    ms: [300, 3500],
    params: () => ({}),
    async inject(world, side) {
      await world.ledger.tell(side, 'freeze');
      return () => world.ledger.tell(side, 'thaw');
    },
    opens: atSide,
  },
  backends_killed: {
    on: 'backends',
    targets: () => ['both'],
    ms: [100, 1500],
    params: () => ({}),
    async inject(world) {
      await world.ledger.kill9();
      return () => world.ledger.start();
    },
    opens: () => ({ doubt: 'all' }),
  },
  backends_stopped: {
    on: 'backends',
    targets: () => ['both'],
    ms: [300, 2500],
    params: () => ({}),
    async inject(world) {
      world.ledger.stop();
      return async () => {
        world.ledger.resume();
        await sleep(200);
      };
    },
    opens: () => ({ doubt: 'all' }),
  },
  backend_hanging: behaviour('hanging', atSide, (rng) => ({ kind: 'hang', share: rng.real(0.2, 1), effect: rng.next() })),
  backend_cutting_requests: behaviour('cutting_requests', atSide,
    (rng) => ({ kind: 'cut_request', share: rng.real(0.2, 1), bytes: rng.int(1, 12_000) })),
  backend_cutting_answers: behaviour('cutting_answers', atSide,
    (rng) => ({ kind: 'cut_answer', share: rng.real(0.2, 1), bytes: rng.int(0, 200), effect: 1 })),
  backend_garbage: behaviour('garbage', atSide, (rng) => ({ kind: 'garbage', share: rng.real(0.2, 1), effect: rng.next() })),
  backend_500: behaviour('500', nothing, (rng) => ({ kind: 'status', status: 500, share: rng.real(0.3, 1) })),
  backend_503: behaviour('503', nothing, (rng) => ({ kind: 'status', status: 503, retryAfter: 1, share: rng.real(0.3, 1) })),
  backend_429: behaviour('429', nothing,
    (rng) => ({ kind: 'status', status: 429, retryAfter: rng.int(0, 2), share: rng.real(0.3, 1) })),
  backend_502: behaviour('502', atSide,
    (rng) => ({ kind: 'status', status: 502, share: rng.real(0.3, 1), effect: rng.next() })),
  backend_slow: behaviour('slow', nothing, (rng, run) => ({ kind: 'slow', share: rng.real(0.3, 1), ms: [50, Math.round(run.timeout * 0.5)] })),
  backend_too_slow: behaviour('too_slow', atSide,
    (rng, run) => ({ kind: 'slow', share: rng.real(0.2, 1), ms: [run.timeout * 0.7, run.timeout * 2.5].map(Math.round) })),
};

/** What a fault can explain in this run. */
export function opensOf(name, target, params, run) {
  const opens = FAULTS[name].opens(target, params, run);
  const local = opens.away && run.whenDown === 'local';
  return { ...opens, local: local || undefined, lease: leaseOf(run) };
}
