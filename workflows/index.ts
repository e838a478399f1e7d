/** The workflows of jobhours, by the names that Temporal knows them by. Owns nothing else. */
export { aggregatePeriod } from './aggregate-period.js';
export { backfill } from './backfill.js';
export { usageAudit } from './usage-audit.js';
export { usageKeeper } from './usage-keeper.js';
export { usageTick } from './usage-tick.js';
