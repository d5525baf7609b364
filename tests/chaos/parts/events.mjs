// Events as GitHub makes them: real payload shapes over a few busy and many quiet entities, signed.

import { createHash, createHmac } from 'node:crypto';
import { corpus } from '../../e2e/harness/corpus.mjs';
import { entityOf, SECRET } from '../../e2e/harness/github.mjs';
import { zipf } from './rng.mjs';

const LARGEST = 26_000;
const ENTITIES = 300;
/** How often which type comes; "star" is one that nobody wants. */
const TYPES = { issues: 55, issue_comment: 20, pull_request: 13, push: 10, star: 2 };

const templates = Object.fromEntries(Object.keys(TYPES).map((type) =>
  [type, corpus().filter((one) => one.type === type && JSON.stringify(one.payload).length < LARGEST)
    .map((one) => one.payload)]));
const types = Object.entries(TYPES).flatMap(([type, weight]) => Array(weight).fill(type));
const rank = zipf(ENTITIES, 1);

/** The payload moved to another issue or pull request of another repository. */
function about(payload, repo, number) {
  const moved = { ...payload, repository: { ...payload.repository, full_name: repo } };
  if (payload.issue) moved.issue = { ...payload.issue, number };
  if (payload.pull_request) {
    moved.pull_request = { ...payload.pull_request, number };
    moved.number = number;
  }
  return moved;
}

/**
 * An event: {id, source, type, entity, verdict, hash, headers, body}. `verdict` is what comes of it where nothing goes
 * wrong: "ok", "reject" (the backend answers 422) or "ignored".
 */
export function makeEvent({ id, source, type, payload, verdict }) {
  const body = Buffer.from(JSON.stringify(payload));
  const headers = {
    'User-Agent': 'GitHub-Hookshot/044aadd',
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    'X-GitHub-Event': type,
    'X-GitHub-Delivery': id,
    'X-GitHub-Hook-ID': '1',
    'X-Hub-Signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
  };
  if (verdict === 'reject') headers['X-Chaos-Verdict'] = 'reject';
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 16);
  return { id, source, type, entity: entityOf(payload, id), verdict, hash, headers, body };
}

/** Any event, by chance; `rejects` is the share that the backend answers 422. */
export function anyEvent(rng, { serial, sources, rejects = 0, ignored = true }) {
  let type = rng.pick(types);
  if (type === 'star' && !ignored) type = 'issues';
  const at = rank(rng);
  const payload = about(rng.pick(templates[type]), `octocat/repo-${at % 20}`, at + 1);
  const verdict = type === 'star' ? 'ignored' : rng.chance(rejects) ? 'reject' : 'ok';
  // Ids look like GitHub's, and say in which order the events were made.
  const tail = Array.from({ length: 3 }, () => rng.int(0, 0xffff).toString(16).padStart(4, '0')).join('');
  const id = `${serial.toString(16).padStart(8, '0')}-cafe-11f0-8000-${tail}`;
  return makeEvent({ id, source: rng.pick(sources), type, payload, verdict });
}

/** An event of a directed schedule: `number` names its entity. */
export function issueEvent(id, number, { source, verdict = 'ok' }) {
  const payload = about(templates.issues[0], 'octocat/Hello-World', number);
  return makeEvent({ id, source, type: 'issues', payload, verdict });
}
