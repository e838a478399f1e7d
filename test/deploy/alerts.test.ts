// The alerts that we ship: their runbook, their metrics, and promtool's opinion.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { AUDIT_MEANING } from '../../domain/audit.js';
import { GAUGES, MEASURED } from '../../domain/metrics.js';
import { COUNTED_STATES } from '../../domain/period-counts.js';
import { itWithPromtool, promtool } from '../support/promtool.js';

const deploy = fileURLToPath(new URL('../../deploy', import.meta.url));
const alerts = readFileSync(join(deploy, 'prometheus/alerts.yml'), 'utf8');
const unitTests = readFileSync(join(deploy, 'prometheus/alerts.test.yml'), 'utf8');
const runbook = readFileSync(join(deploy, 'RUNBOOK.md'), 'utf8');

interface Rule {
  readonly name: string;
  readonly text: string;
}

/** The rules of the file, each from its name to the next. */
const rules: Rule[] = alerts
  .split(/^ {6}- alert: /m)
  .slice(1)
  .map((part) => ({
    name: part.split('\n')[0] ?? '',
    text: part.replace(/^ {2}- name: [^]*$/m, ''),
  }));
const headings = [...runbook.matchAll(/^## (\w+)$/gm)].map(([, name = '']) => name);
const sections = runbook.split(/^## /m).slice(1);

const folder = mkdtempSync(join(tmpdir(), 'jobhours-alerts-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The unit tests of one alert. */
function testsOf(name: string): string {
  const [head, ...cases] = unitTests.split(/^(?= {2}- name: )/m);
  return [head, ...cases.filter((one) => one.includes(`alertname: ${name}\n`))].join('');
}

/** The unit tests of one alert run on other rules. */
function verdict(changedRules: string, name: string): 'passed' | 'failed' {
  writeFileSync(join(folder, 'alerts.yml'), changedRules);
  writeFileSync(join(folder, 'alerts.test.yml'), testsOf(name));
  const { exitCode } = promtool(['test', 'rules', join(folder, 'alerts.test.yml')]);
  return exitCode === 0 ? 'passed' : 'failed';
}

/** The rules with one of them changed. */
function withRule({ name, text }: Rule, pattern: RegExp, replacement: string): string {
  const changed = text.replace(pattern, replacement);
  if (changed === text) throw new Error(`${name} has no ${String(pattern)}`);
  return alerts.replace(text, () => changed);
}

describe('the alerts', () => {
  it('are eleven, each with severity, summary, description and the section of the runbook of its name', () => {
    expect(rules).toHaveLength(11);
    for (const { name, text } of rules) {
      expect([name, text]).toEqual([name, expect.stringMatching(/severity: (critical|warning)\n/)]);
      expect([name, text]).toEqual([name, expect.stringMatching(/\n {10}summary: \S/)]);
      expect([name, text]).toEqual([name, expect.stringMatching(/\n {10}description: >-\n/)]);
      expect(text).toContain(`runbook_url: deploy/RUNBOOK.md#${name.toLowerCase()}\n`);
    }
  });

  it('of the audit explain each of its codes', () => {
    for (const [code, meaning] of Object.entries(AUDIT_MEANING)) {
      expect(runbook).toMatch(new RegExp(`\\| ${code} +\\| ${meaning} +\\|`));
    }
  });

  it('have a section of the runbook each, and no section is without an alert', () => {
    expect([...headings].sort()).toEqual(rules.map(({ name }) => name).sort());
    for (const section of sections) {
      for (const part of ['**Means.**', '**Look.**', '**Mends.**', '**Nothing need be done**']) {
        expect([section.split('\n')[0], section]).toEqual([
          section.split('\n')[0],
          expect.stringContaining(part),
        ]);
      }
    }
  });

  it('ask for metrics, labels and states that workers serve', () => {
    const known = new Set(
      [...Object.values(GAUGES), ...Object.values(MEASURED)].map(({ name }) => name),
    );
    const expressions = rules.map(({ text }) => text.split('annotations:')[0] ?? '').join('\n');
    const asked = new Set([...expressions.matchAll(/\bjobhours_\w+/g)].map(([name]) => name));
    expect([...asked].filter((name) => !known.has(name))).toEqual([]);
    expect(asked.size).toBe(Object.keys(GAUGES).length);
    const states = [...expressions.matchAll(/state="(\w+)"/g)].map(([, state]) => state);
    expect(states.sort()).toEqual(COUNTED_STATES.filter((state) => state !== 'good').sort());
  });

  it('point from section to section of the runbook by anchors that are there', () => {
    const anchors = [...runbook.matchAll(/\]\(#(\w+)\)/g)].map(([, anchor]) => anchor);
    expect(anchors.length).toBeGreaterThan(3);
    const present = headings.map((name) => name.toLowerCase());
    expect(anchors.filter((anchor) => !present.includes(anchor ?? ''))).toEqual([]);
  });

  itWithPromtool('are rules that promtool accepts', () => {
    const { exitCode, output } = promtool([
      'check',
      'rules',
      join(deploy, 'prometheus/alerts.yml'),
    ]);
    expect([exitCode, output]).toEqual([0, expect.stringContaining('11 rules found')]);
  });

  itWithPromtool('fire when they should and stay silent when they should', () => {
    const { exitCode, output } = promtool([
      ...['test', 'rules'],
      join(deploy, 'prometheus/alerts.test.yml'),
    ]);
    expect([exitCode, output]).toEqual([0, expect.stringContaining('SUCCESS')]);
  });

  itWithPromtool(
    'fail their unit tests when one of them never fires, or waits for another time',
    () => {
      const survivors: string[] = [];
      const plant = (rule: Rule, what: string, pattern: RegExp, replacement: string): void => {
        const planted = withRule(rule, pattern, replacement);
        if (verdict(planted, rule.name) === 'passed') survivors.push(`${rule.name} ${what}`);
      };
      for (const rule of rules) {
        expect([rule.name, verdict(alerts, rule.name)]).toEqual([rule.name, 'passed']);
        plant(rule, 'never fires', /expr: (?:>-\n(?: {10}.*\n)+|.*\n)/, 'expr: vector(1) > 2\n');
        if (!rule.text.includes('        for: ')) continue;
        plant(rule, 'waits for nothing', /\n {8}for: .*/, '');
        plant(rule, 'waits for 40 h', /\n {8}for: .*/, '\n        for: 40h');
        if (rule.name === 'JobhoursHourLate') plant(rule, 'allows an hour', /> 7200/, '> 3600');
        if (rule.name === 'JobhoursMarksWaiting') plant(rule, 'sees no fall', /== 0/, '>= 0');
      }
      expect(survivors).toEqual([]);
    },
  );
});
