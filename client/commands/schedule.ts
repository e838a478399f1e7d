/** `jobhours schedule apply|list|pause|unpause|trigger`: arguments and printing only. */
import type { Command } from 'commander';
import { GRANULARITIES, type Granularity } from '../../domain/period.js';
import { instantText, MS_PER_MINUTE } from '../../domain/units.js';
import type { ScheduleState } from '../schedules.js';
import { oneOf } from './choice.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, tableText, type Format } from './output.js';

const EXAMPLES = `
Examples:
  jobhours schedule list
  jobhours schedule pause hour --note 'maintenance until noon'
  jobhours schedule unpause                              all four
  jobhours schedule trigger hour                         look for missing and stale hours now

A schedule only wakes the keeper; the calendar of the books decides what is due. What was missed during a pause is
mended after it.`;

interface NoteOptions {
  readonly note: string;
}

/** Adds `schedule`. */
export function registerSchedule(program: Command, context: CommandContext): void {
  const schedule = program
    .command('schedule')
    .description('The four Schedules that keep the books up to date')
    .addHelpText('after', EXAMPLES);
  schedule
    .command('apply')
    .description('make them as this version wants them; a pause stays')
    .action(() => runApply(context));
  schedule
    .command('list')
    .description('when they fire, and which are paused')
    .addOption(outputOption())
    .action(({ output }: { output: Format }) => runList(context, output));
  for (const verb of ['pause', 'unpause'] as const) {
    withGranularity(schedule.command(verb))
      .description(verb === 'pause' ? 'let it not fire until it is unpaused' : 'let it fire again')
      .option('--note <text>', 'why', `${verb}d by jobhours schedule ${verb}`)
      .action((granularity: Granularity | undefined, { note }: NoteOptions) =>
        runPause(context, verb, granularity, note),
      );
  }
  withGranularity(schedule.command('trigger'))
    .description('fire it now, paused or not')
    .action((granularity: Granularity | undefined) => runTrigger(context, granularity));
}

const granularityOf = oneOf('granularity', GRANULARITIES);

function withGranularity(command: Command): Command {
  return command.argument(
    '[granularity]',
    `${GRANULARITIES.join(', ')}, or the name in schedule list; all four without it`,
    (text) => granularityOf(text.replace(/^(?:.*\/)?usage-/, '')),
  );
}

const asked = (granularity: Granularity | undefined): readonly Granularity[] =>
  granularity === undefined ? GRANULARITIES : [granularity];

async function runApply(context: CommandContext): Promise<void> {
  await context.withTemporal(async (open) => {
    const { applySchedules } = await import('../schedules.js');
    const applied = await applySchedules(open.temporal, open);
    for (const granularity of GRANULARITIES) {
      context.print(`usage-${granularity}: ${applied[granularity]}`);
    }
  });
}

const COLUMNS = ['granularity', 'id', 'every_ms', 'state', 'note', 'last', 'next'] as const;

const timeOf = (atMs: number | null): string | null => (atMs === null ? null : instantText(atMs));

async function runList(context: CommandContext, format: Format): Promise<void> {
  await context.withTemporal(async ({ temporal, books }) => {
    const { listSchedules } = await import('../schedules.js');
    const found = await listSchedules(temporal, books.name);
    if (format === 'table') printTable(context, found);
    else {
      const records = found.map((one) => ({
        granularity: one.granularity,
        id: one.id,
        every_ms: one.everyMs,
        state: one.isPaused ? 'paused' : 'active',
        note: one.note,
        last: timeOf(one.lastAtMs),
        next: timeOf(one.nextAtMs),
      }));
      await printRecords((text) => context.print(text), format, COLUMNS, records);
    }
    if (found.length < GRANULARITIES.length) {
      context.note(`${GRANULARITIES.length - found.length} are missing: jobhours schedule apply`);
    }
  });
}

function printTable(context: CommandContext, found: readonly ScheduleState[]): void {
  if (found.length === 0) return;
  const titles = ['schedule', 'every', 'state', 'last', 'next', 'note'];
  const rows = found.map((one) => [
    one.id,
    `${one.everyMs / MS_PER_MINUTE} min`,
    one.isPaused ? 'paused' : 'active',
    timeOf(one.lastAtMs) ?? '-',
    timeOf(one.nextAtMs) ?? '-',
    one.note,
  ]);
  context.print(
    tableText(
      titles.map((title) => ({ title })),
      rows,
    ),
  );
}

async function runPause(
  context: CommandContext,
  verb: 'pause' | 'unpause',
  granularity: Granularity | undefined,
  note: string,
): Promise<void> {
  await context.withTemporal(async ({ temporal, books }) => {
    const { pauseSchedule, unpauseSchedule } = await import('../schedules.js');
    const change = verb === 'pause' ? pauseSchedule : unpauseSchedule;
    for (const one of asked(granularity)) {
      await change(temporal, books.name, one, note);
      context.print(`usage-${one}: ${verb}d`);
    }
  });
}

async function runTrigger(
  context: CommandContext,
  granularity: Granularity | undefined,
): Promise<void> {
  await context.withTemporal(async ({ temporal, books }) => {
    const { triggerSchedule } = await import('../schedules.js');
    for (const one of asked(granularity)) {
      await triggerSchedule(temporal, books.name, one);
      context.print(`usage-${one}: triggered`);
    }
  });
}
