// The configuration of a run's instances, with times short enough that leases and ladders end within it.

import { SECRET } from '../../e2e/harness/github.mjs';
import { merge } from '../../e2e/harness/yaml.mjs';

export const PREFIX = 'pointsman:';
/** DESIGN §4: a lease is the backend's time-out and five seconds. */
export const LEASE_MARGIN_MS = 5000;

/**
 * What differs between runs, with the usual values. `deadline` of a source below the backends' timeout makes the 202
 * behind which an attempt goes on; above it the outcome comes first.
 */
export const USUAL = {
  timeout: 1500,
  whenDown: 'hold',
  onFailure: 'queue',
  idempotent: { legacy: false, new: false },
  sticky: '2s',
  workers: 2,
  ladder: ['100ms', '300ms', '700ms', '1s', '2s', '3s', '3s', '4s', '5s', '5s'],
  breakerOpen: '1s',
  drain: '10s',
  rollbackOnNewDown: true,
  /** Sources by name: reply, deadline, order. */
  sources: {
    quick: { reply: 'backend', deadline: 700 },
    patient: { reply: 'backend', deadline: 3000 },
    summary: { reply: 'summary', deadline: 2500 },
    accepted: { reply: 'accepted', deadline: 2000 },
    ordered: { reply: 'accepted', deadline: 2000, order: 'entity' },
  },
};

/** `over` laid over the usual settings of a run. */
export function settings(over = {}) {
  return merge(USUAL, over);
}

export function leaseOf(run) {
  return run.timeout + LEASE_MARGIN_MS;
}

/** The event types that are forwarded; what else is sent is answered "ignored". */
export const WANTED = ['issues', 'issue_comment', 'pull_request', 'push'];

function source(run, name, { reply, deadline, order }) {
  return {
    name,
    path: `/hooks/${name}`,
    provider: 'github',
    secrets: [{ value: SECRET }],
    only: Object.fromEntries(WANTED.map((type) => [type, 'all'])),
    deadline: `${deadline}ms`,
    reply,
    on_failure: run.onFailure,
    order,
  };
}

function backend(run, side, url, instance) {
  return {
    name: side === 'new' ? 'python' : 'typescript',
    url,
    timeout: `${run.timeout}ms`,
    idempotent: run.idempotent[side],
    headers: { 'X-Chaos-Instance': instance },
    health: { path: '/healthz', interval: '500ms' },
    ...(side === 'new' ? { fallback: true } : {}),
  };
}

/** The YAML of one instance as an object. */
export function configOf(run, { name, address, port, adminPort, redisUrl, backends }) {
  return {
    listeners: [{ address: `${address}:${port}` }],
    admin: { address: `${address}:${adminPort}` },
    workers: run.workers,
    drain: run.drain,
    store: { kind: 'redis', directory: 'var', when_down: run.whenDown, redis: { url: redisUrl, prefix: PREFIX } },
    backends: {
      legacy: backend(run, 'legacy', backends.legacy, name),
      new: backend(run, 'new', backends.new, name),
    },
    rollout: { sticky: run.sticky },
    sources: Object.entries(run.sources).map(([key, value]) => source(run, key, value)),
    retry: { ladder: run.ladder },
    breaker: { open: run.breakerOpen },
    auto_rollback: { on_new_down: run.rollbackOnNewDown },
  };
}
