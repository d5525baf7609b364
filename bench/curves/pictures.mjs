// make bench-docs: draws docs/pictures/*.svg from the newest saved results, those of the parts that have pictures.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newestWith } from '../lib/result.mjs';
import { growth, overload, soak } from '../parts.mjs';
import { chart } from './svg.mjs';

const FOLDER = 'docs/pictures';

mkdirSync(FOLDER, { recursive: true });
for (const part of [...growth, overload, soak]) {
  const result = newestWith(part.name);
  if (!result) continue;
  for (const [name, spec] of Object.entries(part.pictures(result.parts[part.name]))) {
    writeFileSync(join(FOLDER, `${name}.svg`), chart(spec));
  }
}
