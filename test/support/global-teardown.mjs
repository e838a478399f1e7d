// Stops the servers of global-setup.mjs and removes their folder.
import { stopTestServers } from './global-setup.mjs';

export default async function globalTeardown() {
  await stopTestServers();
}
