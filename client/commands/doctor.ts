/** `jobhours doctor`: what is wrong, and what mends it. Arguments and printing only. */
import type { Command } from 'commander';
import { EXIT } from '../../domain/errors.js';
import type { Finding } from '../doctor.js';
import type { CommandContext } from './context.js';
import type { JoinedServers } from './joining.js';
import { outputOption, printRecords, tableText, type Format } from './output.js';
import { countedText, productVersion } from './screen.js';

/** Columns of csv, json and jsonl; new ones are appended. */
const COLUMNS = ['check', 'state', 'detail', 'mend'] as const;

const EXAMPLES = `
Examples:
  jobhours doctor
  jobhours doctor -o json | jq '.[] | select(.state == "wrong")'

One line for each check: versions, connections, settings of the servers, zone data, coverage, overdue runs, rejects, audit,
periods, imports, backfills, schedules, workers. Exit status 5 when one of them is wrong; its line ends in the command
that mends it. Nothing is changed. Without Temporal what it would say is 'not known', which is no finding.`;

/** How the command finds its servers, whatever is in them. */
export interface DoctorContext extends Pick<CommandContext, 'settings' | 'print' | 'note'> {
  withServers<T>(work: (servers: JoinedServers) => Promise<T>): Promise<T>;
}

/** Adds `doctor`. */
export function registerDoctor(program: Command, context: DoctorContext): void {
  program
    .command('doctor')
    .description('What is wrong, and the command that mends it')
    .addOption(outputOption())
    .addHelpText('after', EXAMPLES)
    .action(({ output }: { output: Format }) => runDoctor(context, output));
}

async function runDoctor(context: DoctorContext, format: Format): Promise<void> {
  const { settings } = context;
  const findings = await context.withServers(async ({ databaseUrl, temporal }) => {
    const { examine } = await import('../doctor.js');
    const programVersion = productVersion();
    return examine({ settings, databaseUrl, temporal, programVersion, ownNowMs: Date.now });
  });
  if (format === 'table') context.print(findingTable(findings));
  else {
    const records = findings.map((one) => ({ ...one, mend: one.mend === '' ? null : one.mend }));
    await printRecords((text) => context.print(text), format, COLUMNS, records);
  }
  const count = (state: Finding['state']): number =>
    findings.filter((one) => one.state === state).length;
  context.note(
    `${countedText(findings.length, 'check')}: ${count('wrong')} wrong, ${count('not known')} not known`,
  );
  if (count('wrong') > 0) process.exitCode = EXIT.findings;
}

function findingTable(findings: readonly Finding[]): string {
  const titles = ['state', 'check', 'what is so, and what mends it'];
  return tableText(
    titles.map((title) => ({ title })),
    findings.map(({ state, check, detail, mend }) => [
      state,
      check,
      mend === '' ? detail : `${detail}; mend: ${mend}`,
    ]),
  );
}
