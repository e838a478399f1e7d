/**
 * FNV-1a, 128 bits: a short name for a long text. Pure arithmetic, because workflow code uses it and has no
 * node:crypto. Not cryptographic: whoever wants two texts with one hash can make them, so nothing may be
 * granted or counted by it. Source: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm" (RFC 9923).
 */

const PRIME = (1n << 88n) + 0x13bn;
const OFFSET_BASIS = 0x6c62272e07bb014262b821756295c58dn;

/** 32 hex digits. For ASCII text the standard's value; other characters count as UTF-16 code units. */
export function fnv1a128(text: string): string {
  let hash = OFFSET_BASIS;
  for (let i = 0; i < text.length; i += 1) {
    hash = BigInt.asUintN(128, (hash ^ BigInt(text.charCodeAt(i))) * PRIME);
  }
  return hash.toString(16).padStart(32, '0');
}
