// What README and docs show works as shown: configurations pass check, commands exist, links lead somewhere.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './harness/children.mjs';
import { BINARY } from './harness/pointsman.mjs';
import { scenario } from './harness/scenario.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (file) => fs.readFileSync(path.join(ROOT, file), 'utf8');
const env = { ...process.env, GITHUB_WEBHOOK_SECRET: 'It is one', POINTSMAN_TOKEN: 'and-another' };

/** The fenced blocks of a language. */
function blocks(text, language) {
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))].map((match) => match[1]);
}

scenario('the configurations that are shown pass check without a word but ok', async (world) => {
  const shown = blocks(read('README.md'), 'yaml').map((text, i) => world.file(`readme-${i}.yaml`, text));
  assert.equal(shown.length, 1);
  for (const file of [...shown, path.join(ROOT, 'packaging/docker.yaml')]) {
    const { code, stdout, stderr } = await run(BINARY, ['check', '-c', file], { env });
    assert.deepEqual([code, stdout, stderr], [0, 'ok\n', ''], file);
  }
});

scenario('the commands that README shows exist', async () => {
  const help = (await run(BINARY, ['--help'], { env })).stdout;
  const used = blocks(read('README.md'), 'sh').join('\n').matchAll(/^(?:build\/)?pointsman (\w+)/gm);
  const commands = new Set([...used].map((match) => match[1]));
  assert.ok(commands.size >= 8, [...commands].join(' '));
  for (const command of commands) assert.match(help, new RegExp(`^ +${command}\\b`, 'm'), command);
});

scenario('links in README and docs lead to files', async () => {
  const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/ARCHITECTURE.md', 'docs/CONFIG.md', 'docs/DECISIONS.md',
    'docs/OPERATING.md'];
  for (const page of pages) {
    for (const [, target] of read(page).matchAll(/\]\(([^)#]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      assert.ok(fs.existsSync(path.join(ROOT, path.dirname(page), target)), `${page} links to ${target}`);
    }
  }
});

scenario('files that ARCHITECTURE names exist', async () => {
  const text = read('docs/ARCHITECTURE.md');
  const named = [...text.matchAll(/`([a-z]+\/[\w./]+\.(?:c|h|cpp|lua))`/g)].map((match) => match[1]);
  assert.ok(named.length > 20);
  for (const file of named) assert.ok(fs.existsSync(path.join(ROOT, file)), file);
});
