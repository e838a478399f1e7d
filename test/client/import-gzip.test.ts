/** Compressed inputs: every format from gzip in bounded memory, bombs and damage refused (B33, B34). */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGzip, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { registerImport } from '../../client/commands/import.js';
import { unpacked } from '../../client/formats/gzip.js';
import type { ImportInput } from '../../client/import-input.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import {
  countOf,
  csv,
  importInput,
  importText,
  inputOf,
  jsonl,
  runsOf,
  sacct,
  sacctLine,
  swf,
} from '../support/imports.js';

let test: TestDatabase;
let folder: string;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
  folder = await mkdtemp(join(tmpdir(), 'jobhours-gzip-'));
});
beforeEach(() => test.query('delete from run'));
afterAll(async () => {
  await test.close();
  await rm(folder, { recursive: true });
});

const MIB = 1_048_576;
const CSV =
  'user,gpus,job_id,start,end\ncaf\u00e9,1,j1,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z\n';
const INPUTS = {
  csv: [csv(), CSV],
  jsonl: [
    jsonl(),
    '{"user":"a","gpus":1,"job_id":"1","start":"2026-01-01T10:00:00Z","end":null}\n',
  ],
  sacct: [sacct, `${sacctLine({})}\n`],
  swf: [swf(), '; UnixStartTime: 1767225600\n1 0 0 60 1 -1 -1 -1 -1 -1 1 1 1 -1 1 1 -1 -1\n'],
} as const;

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += chunk.length;
  return bytes;
}

/** What unpacking these bytes comes to: a number of bytes, or the refusal. */
async function unpackedSize(
  packed: Uint8Array,
  { maxBytes = null, piece = 65_536 }: { maxBytes?: number | null; piece?: number } = {},
): Promise<string> {
  try {
    return `${await bytesOf(unpacked(inputOf(packed, piece).stream, maxBytes))} bytes`;
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message?: string };
    return `${code ?? 'no code'}: ${message ?? ''}`;
  }
}

/** Gzip of a stream of equal chunks, without ever holding what it comes to. */
async function bomb(mebibytes: number): Promise<Buffer> {
  const gzip = createGzip({ level: 9 });
  const packed: Buffer[] = [];
  gzip.on('data', (chunk: Buffer) => packed.push(chunk));
  const ended = new Promise((resolve) => gzip.on('end', resolve));
  const chunk = Buffer.alloc(MIB);
  for (let index = 0; index < mebibytes; index += 1) {
    if (!gzip.write(chunk)) await new Promise((resolve) => gzip.once('drain', resolve));
  }
  gzip.end();
  await ended;
  return Buffer.concat(packed);
}

describe('gzip', () => {
  it.each(Object.keys(INPUTS) as (keyof typeof INPUTS)[])(
    'of %s reads as the plain file, in pieces of any size, with a byte order mark and members in a row',
    async (name) => {
      const [format, text] = INPUTS[name];
      await importText(test, format, text);
      const expected = await runsOf(test);
      expect(expected).toHaveLength(1);
      const [head, tail] = [text.slice(0, 20), text.slice(20)];
      const members = Buffer.concat([gzipSync(`\ufeff${head}`), gzipSync(tail)]);
      for (const size of [1, 7, 65_536]) {
        for (const packed of [
          gzipSync(text),
          members,
          Buffer.concat([members, Buffer.alloc(512)]),
        ]) {
          await test.query('delete from run');
          const { summary } = await importInput(test, format, inputOf(packed, size));
          expect(summary).toMatchObject({ new: 1, rejected: {} });
          expect(await runsOf(test)).toEqual(expected);
        }
      }
    },
  );

  it('counts progress by the bytes of the file, and an empty one is an empty input', async () => {
    const packed = gzipSync(CSV);
    const shares: boolean[] = [];
    await importText(test, csv(), packed, {
      onProgress: ({ bytes, totalBytes }) => shares.push(bytes === totalBytes),
    });
    expect(shares.length).toBeGreaterThan(0);
    expect(shares.every((isWhole) => isWhole)).toBe(true);
    const { summary } = await importText(test, csv(), gzipSync(''));
    expect(summary).toMatchObject({ records: 0, batch: null });
  });

  it('of zeros is refused before it has come to 17 MiB, whatever it would come to (B33)', async () => {
    const packed = await bomb(64);
    expect(packed.length).toBeLessThan(MIB);
    let bytes = 0;
    const reading = async (): Promise<void> => {
      for await (const chunk of unpacked(inputOf(packed, 1_024).stream, null))
        bytes += chunk.length;
    };
    await expect(reading()).rejects.toMatchObject({
      code: 'DECOMPRESS_LIMIT',
      message: expect.stringMatching(
        /more than 500 times as many: --max-decompressed SIZE allows it$/,
      ),
    });
    expect(bytes).toBeLessThanOrEqual(17 * MIB);
    expect(await unpackedSize(packed, { maxBytes: 64 * MIB })).toBe(`${64 * MIB} bytes`);
    expect(await unpackedSize(packed, { maxBytes: 64 * MIB - 1 })).toMatch(
      /^DECOMPRESS_LIMIT: .* above the limit of 67108863 bytes/,
    );
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['that is cut', gzipSync(CSV).subarray(0, -9), /cut or damaged: unexpected end of file/],
    [
      'whose checksum is wrong',
      Buffer.concat([gzipSync(CSV).subarray(0, -8), Buffer.alloc(8, 1)]),
      /cut or damaged: incorrect data check/,
    ],
    [
      'with a flipped bit',
      gzipSync(CSV).map((byte, index) => (index === 30 ? byte ^ 0x10 : byte)),
      /cut or damaged/,
    ],
    [
      'with text behind its end',
      Buffer.concat([gzipSync(CSV), Buffer.from('more')]),
      /cut or damaged/,
    ],
    [
      'with zeros and another member behind its end',
      Buffer.concat([gzipSync(CSV), Buffer.alloc(600), gzipSync(CSV)]),
      /cut or damaged: other bytes follow its end at byte \d+/,
    ],
  ])('%s is refused as a whole, and nothing of it applied (B34)', async (_, packed, expected) => {
    for (const piece of [1, 65_536]) {
      expect(await unpackedSize(packed, { piece })).toMatch(/^ENCODING: the gzip data are/);
    }
    await expect(importText(test, csv(), packed, { partial: true })).rejects.toThrow(expected);
    expect(await countOf(test, 'run')).toBe(0);
  });

  it('inside gzip is refused (B33)', async () => {
    const twice = gzipSync(gzipSync(CSV));
    await expect(importText(test, csv(), twice)).rejects.toThrow('it was compressed twice');
  });

  it.each<[string, readonly number[], string]>([
    ['zstd', [0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0], 'zstd: zstd -dc FILE | jobhours import ... -'],
    ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0], 'xz: xz -dc FILE'],
    ['bzip2', [...Buffer.from('BZh91AY&SY')], 'bzip2: bzip2 -dc FILE'],
    ['zip', [...Buffer.from('PK\u0003\u0004more')], 'a zip archive: unzip -p FILE'],
  ])(
    'is what is unpacked: %s is named with the command that unpacks it (B34)',
    async (_, bytes, text) => {
      expect(await unpackedSize(Uint8Array.from(bytes))).toContain(
        `ENCODING: the input is compressed as ${text}`,
      );
    },
  );

  it('leaves an error of reading as it is', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(gzipSync(CSV).subarray(0, 40));
      throw new Error('the tape tore');
    }
    const input: ImportInput = { name: 'tape', stream: broken(), totalBytes: null };
    await expect(importInput(test, csv(), input)).rejects.toThrow('the tape tore');
  });
});

describe('--max-decompressed', () => {
  async function imported(flags: readonly string[], packed: Uint8Array): Promise<CommandRun> {
    const file = join(folder, 'input.csv.gz');
    await writeFile(file, packed);
    return runCommand(test, registerImport, ['import', 'csv', file, ...flags], {
      wakeKeeper: () => Promise.resolve(null),
    });
  }

  it('holds for a file, and says what allows more (B33)', async () => {
    const rows = Array.from(
      { length: 2_000 },
      (_, job) => `a,1,${job},2026-01-01T10:00:00Z,2026-01-01T11:00:00Z\n`,
    );
    const packed = gzipSync(`user,gpus,job_id,start,end\n${rows.join('')}`);
    const refused = await imported(['--max-decompressed', '50kB'], packed);
    expect(refused.error).toMatch(
      /^DECOMPRESS_LIMIT: \d+ bytes of gzip come to \d+ bytes and more, above the limit of 50000 bytes: --max-decompressed SIZE allows it$/,
    );
    expect(await countOf(test, 'run')).toBe(0);
    const taken = await imported(['--max-decompressed', '2MiB'], packed);
    expect(taken.error).toBeNull();
    expect(await countOf(test, 'run')).toBe(2_000);
  });

  it.each(['', '0', '-1', '1.5GB', 'GB', '5 apples', '9999999999999'])(
    'refuses %j (B37)',
    async (text) => {
      const run = await imported(['--max-decompressed', text], gzipSync(CSV));
      expect(run.error).toMatch(/^LIMIT_INVALID: --max-decompressed .* such as 500MB or 2GiB$/);
    },
  );
});
