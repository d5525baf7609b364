// GitHub's side: payloads, deliveries signed by the official library, and what pointsman should make of them.

import { randomUUID } from 'node:crypto';
import { sign } from '@octokit/webhooks-methods';
import { requestBytes } from './http.mjs';
import { bucketOf } from './xxh3.mjs';

export const SECRET = 'It\'s a Secret to Everybody';
export const PATH = '/webhooks/github';

/** A small `issues` payload. */
export function issue(number, { action = 'opened', repo = 'octocat/Hello-World', ...more } = {}) {
  return {
    action,
    issue: { number, title: `Issue ${number}`, state: 'open', labels: [] },
    repository: { id: 1296269, full_name: repo, owner: { login: repo.split('/')[0] } },
    sender: { login: 'octocat' },
    ...more,
  };
}

/**
 * A delivery ready to be sent: {id, type, path, headers, body}. `payload` may be an object, text or bytes.
 * `secret: null` leaves the signature out; `form` encodes as GitHub's form deliveries; `headers` adds and replaces,
 * undefined removes.
 */
export async function delivery(type, payload, options = {}) {
  const { id = randomUUID(), secret = SECRET, form = false, hook = '1', path = PATH, headers = {} } = options;
  let body = payload;
  if (!Buffer.isBuffer(body)) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    body = Buffer.from(form ? `payload=${encodeURIComponent(text).replace(/%20/g, '+')}` : text);
  }
  const all = {
    'User-Agent': 'GitHub-Hookshot/044aadd',
    'Content-Type': form ? 'application/x-www-form-urlencoded' : 'application/json',
    'X-GitHub-Event': type,
    'X-GitHub-Delivery': id,
    'X-GitHub-Hook-ID': hook,
    'Content-Length': body.length,
  };
  if (secret !== null) all['X-Hub-Signature-256'] = await signature(body, secret);
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) delete all[name];
    else all[name] = value;
  }
  return { id, type, path, headers: all, body };
}

/** The official library signs text; bytes that are not UTF-8 must not be signed with it. */
export function signature(body, secret = SECRET) {
  return sign(secret, body.toString('utf8'));
}

/** The same delivery again, as GitHub redelivers: the same id. */
export function again(first) {
  return { ...first, headers: { ...first.headers } };
}

/** DESIGN §2: what the event is about. */
export function entityOf(payload, id) {
  const repository = payload.repository?.full_name;
  const number = payload.issue?.number ?? payload.pull_request?.number ?? payload.number;
  if (repository !== undefined) return number === undefined ? repository : `${repository}#${number}`;
  if (payload.installation?.id !== undefined) return String(payload.installation.id);
  return id;
}

/** DESIGN §3: the side `gradual` gives an entity that nobody owns. */
export function sideAt(percentage, entity, salt = '') {
  return bucketOf(entity, salt) < percentage * 10_000 ? 'new' : 'legacy';
}

/** The first `n` issue numbers of the repository that go to `side` at the percentage. */
export function numbersFor(side, percentage, n, { repo = 'octocat/Hello-World', from = 1, salt = '' } = {}) {
  const found = [];
  for (let number = from; found.length < n; number++) {
    if (sideAt(percentage, `${repo}#${number}`, salt) === side) found.push(number);
  }
  return found;
}

/** The first `n` issue numbers that are on legacy at `low` % and on new at `high` %. */
export function movers(low, high, n = 1) {
  const found = [];
  for (let number = 1; found.length < n; number++) {
    const entity = `octocat/Hello-World#${number}`;
    if (sideAt(low, entity) === 'legacy' && sideAt(high, entity) === 'new') found.push(number);
  }
  return found;
}

/** The smallest ping: neither action nor repository. */
export function ping() {
  return { zen: 'Keep it logically awesome.', hook_id: 1, hook: { type: 'App', id: 1 } };
}

/** A small event as bytes for a raw connection, with the event's id; options as for delivery(). */
export async function bytesOf(pm, number, { headers, version, target = PATH, id } = {}) {
  const event = await delivery('issues', issue(number), { headers, id });
  const bytes = requestBytes('POST', target, { Host: pm.address, ...event.headers }, event.body, version);
  return Object.assign(bytes, { id: event.id });
}
