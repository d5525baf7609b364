// All example payloads GitHub publishes for api.github.com.

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** [{type, payload}], 329 of them in the pinned version. */
export function corpus() {
  const events = require('@octokit/webhooks-examples/api.github.com/index.json');
  return events.flatMap(({ name, examples }) => examples.map((payload) => ({ type: name, payload })));
}
