import { describe, expect, it } from '@jest/globals';
import type { JobhoursError } from '../../domain/errors.js';
import { parseSettings, VARIABLES } from '../../domain/settings.js';

function refusal(environment: Record<string, string>): JobhoursError {
  try {
    parseSettings(environment);
  } catch (error) {
    return error as JobhoursError;
  }
  throw new Error(`not refused: ${JSON.stringify(environment)}`);
}

describe('the settings', () => {
  it('are the defaults of DESIGN when the environment says nothing', () => {
    expect(parseSettings({ PATH: '/bin', HOME: '/root', TZ: 'America/New_York' })).toEqual({
      databaseUrl: null,
      isTemporalGiven: false,
      home: '.jobhours',
      zone: null,
      name: null,
      minimumRunMs: null,
      graceMs: 120_000,
      catchUpMs: 45 * 86_400_000,
      importBatch: 10_000,
      planTimeoutMs: 30_000,
      heartbeatTimeoutMs: 60_000,
      buildTimeoutMs: 21_600_000,
      databaseTimeoutMs: 30_000,
      logLevel: 'info',
      metricsAddress: null,
      temporalCli: null,
      isDebug: false,
    });
  });

  it('are read from the environment', () => {
    const settings = parseSettings({
      DATABASE_URL: 'postgresql://me@host:5433/books',
      TEMPORAL_ADDRESS: 'host:7233',
      JOBHOURS_ZONE: 'Asia/Calcutta',
      JOBHOURS_NAME: 'site-2.test',
      JOBHOURS_MINIMUM_RUN_MS: '0',
      JOBHOURS_GRACE: '0s',
      JOBHOURS_CATCH_UP: '60d',
      JOBHOURS_HEARTBEAT_TIMEOUT: '1500ms',
      JOBHOURS_METRICS: '127.0.0.1:9464',
      JOBHOURS_DEBUG: '1',
    });
    expect(settings).toMatchObject({
      databaseUrl: 'postgresql://me@host:5433/books',
      isTemporalGiven: true,
      zone: 'Asia/Kolkata',
      name: 'site-2.test',
      minimumRunMs: 0,
      graceMs: 0,
      catchUpMs: 60 * 86_400_000,
      heartbeatTimeoutMs: 1_500,
      metricsAddress: '127.0.0.1:9464',
      isDebug: true,
    });
  });

  it.each([
    ['JOBHOURS_IMPORT_BATCH', 'abc'],
    ['JOBHOURS_IMPORT_BATCH', '0'],
    ['JOBHOURS_IMPORT_BATCH', '1e3'],
    ['JOBHOURS_IMPORT_BATCH', '1000001'],
    ['JOBHOURS_IMPORT_BATCH', ' 5'],
    ['JOBHOURS_IMPORT_BATCH', ''],
    ['JOBHOURS_MINIMUM_RUN_MS', '-1'],
    ['JOBHOURS_MINIMUM_RUN_MS', '0.5'],
    ['JOBHOURS_GRACE', '2'],
    ['JOBHOURS_GRACE', '2 m'],
    ['JOBHOURS_GRACE', '2h'],
    ['JOBHOURS_GRACE', '99999999999d'],
    ['JOBHOURS_CATCH_UP', '0d'],
    ['JOBHOURS_DATABASE_TIMEOUT', '0s'],
    ['JOBHOURS_NAME', ''],
    ['JOBHOURS_NAME', 'a/b'],
    ['JOBHOURS_NAME', '-a'],
    ['JOBHOURS_NAME', 'a'.repeat(65)],
    ['JOBHOURS_HOME', ''],
    ['JOBHOURS_LOG_LEVEL', 'loud'],
    ['JOBHOURS_METRICS', ''],
    ['JOBHOURS_METRICS', '9464'],
    ['JOBHOURS_METRICS', ':9464'],
    ['JOBHOURS_METRICS', '127.0.0.1'],
    ['JOBHOURS_METRICS', '127.0.0.1:0'],
    ['JOBHOURS_METRICS', '127.0.0.1:65536'],
    ['JOBHOURS_METRICS', '127.0.0.1:09464'],
    ['JOBHOURS_METRICS', '::1:9464'],
    ['JOBHOURS_METRICS', 'http://127.0.0.1:9464'],
    ['JOBHOURS_METRICS', '127.0.0.1:9464/metrics'],
    ['JOBHOURS_METRICS', 'local host:9464'],
    ['JOBHOURS_DEBUG', 'yes'],
    ['DATABASE_URL', 'mysql://host/db'],
    ['DATABASE_URL', ''],
  ] as const)('B71: refuse %s=%p and say name, value and what is allowed', (name, value) => {
    const error = refusal({ [name]: value });
    expect(error.code).toBe('CONFIG');
    expect(error.exitCode).toBe(2);
    expect(error.message).toContain(name);
    expect(error.message).toContain(`expected ${VARIABLES[name].allowed}`);
    if (name !== 'DATABASE_URL')
      expect(error.message).toContain(JSON.stringify(value.slice(0, 60)));
  });

  it.each([
    '127.0.0.1:1',
    '0.0.0.0:65535',
    '[::1]:9464',
    'localhost:9464',
    'node-7.example.org:80',
  ])('take %s for the address of metrics', (address) => {
    expect(parseSettings({ JOBHOURS_METRICS: address }).metricsAddress).toBe(address);
  });

  it('B71: never repeat a database URL, which may carry a password', () => {
    expect(refusal({ DATABASE_URL: 'http://me:secret@host' }).message).not.toContain('secret');
  });

  it.each(['JOBHOURS_ZONES', 'JOBHOURS_', 'JOBHOURS_zone', 'JOBHOURS___proto__'])(
    'B71: refuse the unknown name %s and list the known ones',
    (name) => {
      const error = refusal({ [name]: 'x' });
      expect(error.code).toBe('CONFIG');
      expect(error.message).toContain(name);
      expect(error.message).toContain('JOBHOURS_ZONE,');
    },
  );

  it.each([
    'Asia/Beijing',
    'GMT+8',
    'UTC+8',
    '+08:00',
    'EST',
    'local',
    '',
    '../../etc/passwd',
    '__proto__',
  ])('B13, B15: refuse the zone %p and name the variable', (zone) => {
    const error = refusal({ JOBHOURS_ZONE: zone });
    expect(error.code).toBe('ZONE_UNKNOWN');
    expect(error.message).toMatch(/^JOBHOURS_ZONE: /);
  });

  it.each(['TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'])(
    'take a Temporal server for given when %s says so',
    (name) => {
      expect(parseSettings({ [name]: 'x' }).isTemporalGiven).toBe(true);
      expect(parseSettings({ [name]: '' }).isTemporalGiven).toBe(false);
    },
  );
});
