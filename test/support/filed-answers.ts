/** Filed answers of a test: a folder of their own, and what stands in them. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerUsage } from '../../client/commands/usage.js';
import type { Manifest } from '../../client/usage-manifest.js';
import { runCommand, type CommandRun } from './command-run.js';
import type { TestDatabase } from './database.js';

export class FiledAnswers {
  private constructor(
    private readonly test: TestDatabase,
    readonly folder: string,
  ) {}

  static async create(test: TestDatabase): Promise<FiledAnswers> {
    return new FiledAnswers(test, await mkdtemp(join(tmpdir(), 'jobhours-filed-')));
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** `jobhours usage ... --out NAME`. */
  file(name: string, argv: readonly string[], test = this.test): Promise<CommandRun> {
    return runCommand(test, registerUsage, ['usage', ...argv, '--out', this.path(name)]);
  }

  /** `jobhours usage verify NAME.manifest.json`. */
  verify(name: string, argv: readonly string[] = [], test = this.test): Promise<CommandRun> {
    const manifest = this.path(`${name}.manifest.json`);
    return runCommand(test, registerUsage, ['usage', 'verify', manifest, ...argv]);
  }

  text(name: string): Promise<string> {
    return readFile(this.path(name), 'utf8');
  }

  async manifest(name: string): Promise<Manifest & { readonly sha256: string }> {
    return JSON.parse(await this.text(`${name}.manifest.json`)) as Manifest & { sha256: string };
  }

  async names(): Promise<string[]> {
    return (await readdir(this.folder)).sort();
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
