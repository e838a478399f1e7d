/** `jobhours schedule apply|list|pause|unpause|trigger`: arguments and printing only. */
import type { Command } from 'commander';
import { SCHEDULE_NAMES, type ScheduleName } from '../../domain/ids.js';
import { instantText, MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import type { ScheduleState } from '../schedules.js';
import { oneOf } from './choice.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, tableText, type Format } from './output.js';

const EXAMPLES = `
Examples:
  jobhours schedule list
  jobhours schedule pause hour --note 'maintenance until noon'
  jobhours schedule unpause                              all of them
  jobhours schedule trigger hour                         look for missing and stale hours now
  jobhours schedule trigger audit                        recompute a sample of the books from the runs now

Four schedules only wake the keeper, for hours, days, weeks and months (usage-month: for everything); the calendar
of the books decides what is due. What was missed during a pause is
mended after it. The fifth, audit, does once a day what 'jobhours periods check --deep --sample 25' does.`;

interface NoteOptions {
  readonly note: string;
}

/** Adds `schedule`. */
export function registerSchedule(program: Command, context: CommandContext): void {
  const schedule = program
    .command('schedule')
    .description('The Schedules that keep the books up to date and audit them')
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
    withName(schedule.command(verb))
      .description(verb === 'pause' ? 'let it not fire until it is unpaused' : 'let it fire again')
      .option('--note <text>', 'why', `${verb}d by jobhours schedule ${verb}`)
      .action((name: ScheduleName | undefined, { note }: NoteOptions) =>
        runPause(context, verb, name, note),
      );
  }
  withName(schedule.command('trigger'))
    .description('fire it now, paused or not')
    .action((name: ScheduleName | undefined) => runTrigger(context, name));
}

const nameOf = oneOf('schedule', SCHEDULE_NAMES);

function withName(command: Command): Command {
  return command.argument(
    '[schedule]',
    `${SCHEDULE_NAMES.join(', ')}, or the name in schedule list; all without it`,
    (text) => nameOf(text.replace(/^(?:.*\/)?usage-/, '')),
  );
}

const asked = (name: ScheduleName | undefined): readonly ScheduleName[] =>
  name === undefined ? SCHEDULE_NAMES : [name];

async function runApply(context: CommandContext): Promise<void> {
  await context.withTemporal(async (open) => {
    const { applySchedules } = await import('../schedules.js');
    const applied = await applySchedules(open.temporal, open);
    for (const name of SCHEDULE_NAMES) {
      context.print(`usage-${name}: ${applied[name]}`);
    }
  }, 'opens new books');
}

/** New ones are appended. The audit has no granularity. */
const COLUMNS = ['granularity', 'id', 'every_ms', 'state', 'note', 'last', 'next', 'name'] as const;

const timeOf = (atMs: number | null): string | null => (atMs === null ? null : instantText(atMs));

async function runList(context: CommandContext, format: Format): Promise<void> {
  await context.withTemporal(async ({ temporal, books }) => {
    const { listSchedules } = await import('../schedules.js');
    const found = await listSchedules(temporal, books.name);
    if (format === 'table') printTable(context, found);
    else {
      const records = found.map((one) => ({
        granularity: one.name === 'audit' ? null : one.name,
        id: one.id,
        every_ms: one.everyMs,
        state: one.isPaused ? 'paused' : 'active',
        note: one.note,
        last: timeOf(one.lastAtMs),
        next: timeOf(one.nextAtMs),
        name: one.name,
      }));
      await printRecords((text) => context.print(text), format, COLUMNS, records);
    }
    if (found.length < SCHEDULE_NAMES.length) {
      context.note(`${SCHEDULE_NAMES.length - found.length} are missing: jobhours schedule apply`);
    }
  });
}

function printTable(context: CommandContext, found: readonly ScheduleState[]): void {
  if (found.length === 0) return;
  const titles = ['schedule', 'every', 'state', 'last', 'next', 'note'];
  const rows = found.map((one) => [
    one.id,
    everyText(one.everyMs),
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

function everyText(everyMs: number): string {
  if (everyMs === MS_PER_DAY) return 'day';
  return everyMs === MS_PER_HOUR ? 'hour' : `${everyMs / MS_PER_MINUTE} min`;
}

async function runPause(
  context: CommandContext,
  verb: 'pause' | 'unpause',
  name: ScheduleName | undefined,
  note: string,
): Promise<void> {
  await context.withTemporal(async ({ temporal, books }) => {
    const { pauseSchedule, unpauseSchedule } = await import('../schedules.js');
    const change = verb === 'pause' ? pauseSchedule : unpauseSchedule;
    for (const one of asked(name)) {
      await change(temporal, books.name, one, note);
      context.print(`usage-${one}: ${verb}d`);
    }
  });
}

async function runTrigger(context: CommandContext, name: ScheduleName | undefined): Promise<void> {
  await context.withTemporal(async ({ temporal, books }) => {
    const { triggerSchedule } = await import('../schedules.js');
    for (const one of asked(name)) {
      await triggerSchedule(temporal, books.name, one);
      context.print(`usage-${one}: triggered`);
    }
  });
}
