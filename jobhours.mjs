#!/usr/bin/env node
// The command line: builds dist/ when the sources changed (in a clone), then runs it.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.setSourceMapsEnabled(true);
if (existsSync(fileURLToPath(new URL('./tsconfig.json', import.meta.url)))) {
  const { build, isBuilt } = await import('./build.mjs');
  if (!isBuilt()) {
    process.stderr.write('jobhours: the sources changed, building...\n');
    await build();
  }
}
const { main } = await import('./dist/client/commands/main.js');
await main(process.argv.slice(2));
