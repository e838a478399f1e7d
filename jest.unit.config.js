import config from './jest.config.js';

const { globalSetup: _setup, globalTeardown: _teardown, ...withoutServers } = config;

/** Tests that need no server: `npm run test:unit`. */
export default { ...withoutServers, testMatch: ['<rootDir>/test/domain/**/*.test.ts'] };
