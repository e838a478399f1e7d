/** The workflows with other words in their source, bundled: what an older or a newer version would run. */
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { workflowBundle, type WorkflowBundle } from './temporal-books.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PARTS = ['workflows', 'domain', 'activities', 'db', 'package.json', 'tsconfig.json'];

/** Text of a workflow's file, and what stands there instead. */
export type Change = readonly [from: string, to: string];

/** Bundles a copy of the workflows; `changes` by the name of the file, without `.ts`. Fails when a text is not there. */
export async function changedWorkflows(
  changes: Readonly<Record<string, Change>>,
): Promise<WorkflowBundle> {
  const folder = mkdtempSync(join(tmpdir(), 'jobhours-changed-'));
  for (const part of PARTS) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  try {
    for (const [name, [from, to]] of Object.entries(changes)) {
      const path = join(folder, 'workflows', `${name}.ts`);
      const text = readFileSync(path, 'utf8');
      if (!text.includes(from)) throw new Error(`${name}.ts has no ${from}`);
      writeFileSync(path, text.replace(from, to));
    }
    return await workflowBundle(join(folder, 'workflows/index.ts'));
  } finally {
    // The link itself goes, not what it points to.
    unlinkSync(join(folder, 'node_modules'));
    rmSync(folder, { recursive: true });
  }
}
