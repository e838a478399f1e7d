/** `npm start -- --exit`: everything on this machine from nothing, demo data, backfill, check. */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findTemporal } from '../local/temporal-program.js';
import { atMost, COST_HEAD, costRow, type Bench } from './bench.js';
import { costOf, inRounds, medianMs } from './cost.js';
import { benchFolder } from './stage.js';

const PROGRAM = fileURLToPath(new URL('../../jobhours.mjs', import.meta.url));

async function startOnce(): Promise<void> {
  const folder = await benchFolder();
  const { PATH, HOME, XDG_CACHE_HOME } = process.env;
  try {
    await promisify(execFile)(process.execPath, [PROGRAM, 'demo', '--exit'], {
      env: { PATH, HOME, ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }), JOBHOURS_HOME: folder },
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const start: Bench = {
  name: 'start',
  title: 'npm start -- --exit',
  async run({ size }) {
    await findTemporal();
    const { demo } = await inRounds(Math.min(size.longRounds, 3), {
      demo: () => costOf([], startOnce),
    });
    return {
      verdicts: [
        atMost(
          'npm start -- --exit on an idle machine, packages and Temporal program present',
          15,
          medianMs(demo, 'wallMs') / 1_000,
          's',
        ),
      ],
      tables: [
        {
          caption: 'PostgreSQL, Temporal, worker, demo data, backfill, check, all ended again',
          head: COST_HEAD,
          rows: [costRow('jobhours demo --exit', demo, demo, 'wallMs')],
        },
      ],
    };
  },
};
