/**
 * Names of time zones: which are accepted, which text stands for one zone, and what a person who
 * wrote another one probably meant. Owns no offsets (domain/zone-segments.ts).
 */
import { JobhoursError } from './errors.js';
import { quotedValue } from './quoted-value.js';

/** `Area/Place`: bare names (EST, PRC), offsets (UTC+8) and paths mean different things elsewhere. */
const NAME =
  /^(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Brazil|Canada|Chile|Etc|Europe|Indian|Mexico|Pacific|US)(?:\/[A-Za-z0-9_+-]{1,32}){1,2}$/i;

/** Former names that some versions of Intl still report as canonical, and IANA's present ones. */
const PRESENT_NAME: ReadonlyMap<string, string> = new Map([
  ['Africa/Asmera', 'Africa/Asmara'],
  ['America/Buenos_Aires', 'America/Argentina/Buenos_Aires'],
  ['America/Catamarca', 'America/Argentina/Catamarca'],
  ['America/Coral_Harbour', 'America/Atikokan'],
  ['America/Cordoba', 'America/Argentina/Cordoba'],
  ['America/Godthab', 'America/Nuuk'],
  ['America/Indianapolis', 'America/Indiana/Indianapolis'],
  ['America/Jujuy', 'America/Argentina/Jujuy'],
  ['America/Louisville', 'America/Kentucky/Louisville'],
  ['America/Mendoza', 'America/Argentina/Mendoza'],
  ['Asia/Calcutta', 'Asia/Kolkata'],
  ['Asia/Katmandu', 'Asia/Kathmandu'],
  ['Asia/Rangoon', 'Asia/Yangon'],
  ['Asia/Saigon', 'Asia/Ho_Chi_Minh'],
  ['Atlantic/Faeroe', 'Atlantic/Faroe'],
  ['Etc/GMT', 'UTC'],
  ['Etc/UTC', 'UTC'],
  ['Europe/Kiev', 'Europe/Kyiv'],
  ['GMT', 'UTC'],
  ['Pacific/Enderbury', 'Pacific/Kanton'],
  ['Pacific/Ponape', 'Pacific/Pohnpei'],
  ['Pacific/Truk', 'Pacific/Chuuk'],
]);

/** Places without a zone of their own, and abbreviations, as people write them. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ['bangalore', 'Asia/Kolkata'],
  ['beijing', 'Asia/Shanghai'],
  ['boston', 'America/New_York'],
  ['cet', 'Europe/Berlin'],
  ['cst', 'America/Chicago or Asia/Shanghai'],
  ['delhi', 'Asia/Kolkata'],
  ['est', 'America/New_York'],
  ['gmt', 'UTC'],
  ['guangzhou', 'Asia/Shanghai'],
  ['hangzhou', 'Asia/Shanghai'],
  ['ist', 'Asia/Kolkata'],
  ['jst', 'Asia/Tokyo'],
  ['mst', 'America/Denver'],
  ['mumbai', 'Asia/Kolkata'],
  ['munich', 'Europe/Berlin'],
  ['new_delhi', 'Asia/Kolkata'],
  ['pst', 'America/Los_Angeles'],
  ['san_francisco', 'America/Los_Angeles'],
  ['seattle', 'America/Los_Angeles'],
  ['shenzhen', 'Asia/Shanghai'],
  ['washington', 'America/New_York'],
  ['z', 'UTC'],
]);

/** Longer text is refused unread. */
const NAME_CHARACTERS = 64;
/** Answers kept, so that reading a zone per record costs a look-up. */
const KEPT_NAMES = 1_000;
const keptNames = new Map<string, string>();

/**
 * The canonical name of an IANA zone, present-day spelling (`Asia/Calcutta` -> `Asia/Kolkata`;
 * `UTC` stays). Letter case does not matter. ZONE_UNKNOWN, with the name that was probably meant,
 * for anything that is not `UTC` or an `Area/Place` that Intl knows (B13, B15).
 */
export function canonicalZone(text: string): string {
  const kept = keptNames.get(text);
  if (kept !== undefined) return kept;
  const readable = /^UTC$/i.test(text) || (text.length <= NAME_CHARACTERS && NAME.test(text));
  const found = readable ? nameFromIntl(text) : null;
  if (found === null) throw zoneUnknown(text);
  const canonical = PRESENT_NAME.get(found) ?? found;
  if (keptNames.size < KEPT_NAMES) keptNames.set(text, canonical);
  return canonical;
}

function nameFromIntl(text: string): string | null {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: text }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

function zoneUnknown(text: string): JobhoursError {
  const meant = text.length <= NAME_CHARACTERS ? nameMeant(text.trim()) : null;
  const hint = meant === null ? 'such as Asia/Shanghai or UTC' : `did you mean ${meant}?`;
  return new JobhoursError(
    'ZONE_UNKNOWN',
    `zone ${quotedValue(text)} is not an IANA time zone: use a name of the form Area/Place, ${hint}`,
    { value: text.slice(0, NAME_CHARACTERS), meant },
  );
}

function nameMeant(text: string): string | null {
  if (text === '') return null;
  const place = (text.split('/').at(-1) ?? '').replaceAll(' ', '_').toLowerCase();
  return MEANT.get(place) ?? nameOfOffset(text) ?? nameOfAlias(text) ?? nearName(text, place);
}

/** `UTC+8`, `+08:00`: IANA's fixed zones have the opposite sign, which is why these are refused. */
function nameOfOffset(text: string): string | null {
  const match = /^(?:UTC|GMT)?([+-])(\d{1,2})(?::?00)?$/i.exec(text);
  if (match === null) return null;
  const hours = Number(match[2]);
  if (match[1] === '+' && hours === 8) return 'Asia/Shanghai';
  if (hours === 0 || hours > 12) return 'UTC';
  return `Etc/GMT${match[1] === '+' ? '-' : '+'}${hours}`;
}

/** Old bare names that Intl still knows: PRC, Japan, Singapore. */
function nameOfAlias(text: string): string | null {
  const found = /^[A-Za-z0-9-]{3,12}$/.test(text) ? nameFromIntl(text) : null;
  return found === null || !NAME.test(found) ? null : (PRESENT_NAME.get(found) ?? found);
}

/** The zone whose place is spelled most alike, at most two letters away. */
function nearName(text: string, place: string): string | null {
  let best: { name: string; distance: number } | null = null;
  for (const known of ['UTC', ...Intl.supportedValuesOf('timeZone')]) {
    const name = PRESENT_NAME.get(known) ?? known;
    const knownPlace = (name.split('/').at(-1) ?? '').toLowerCase();
    const otherArea = text.split('/')[0] === name.split('/')[0] ? 0 : 0.5;
    const distance = editDistance(place, knownPlace) + otherArea;
    const allowed = Math.min(2.5, place.length / 3);
    if (distance <= allowed && distance < (best?.distance ?? Infinity)) best = { name, distance };
  }
  return best?.name ?? null;
}

/** Levenshtein's distance: letters inserted, left out or replaced. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i += 1) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
  }
  return row[b.length] ?? 0;
}
