/**
 * What reading an input showed beside its records: how its times were read, columns that are no field, remarks. Owns their
 * counting; words for people are the command's.
 */
import type { JudgedRecord, Remark } from '../domain/run-record.js';

/** Different texts of one kind that are counted by themselves, and how much is kept of each. */
const MAX_TEXTS = 50;
const MAX_CHARACTERS = 100;
const OTHERS = 'others';

export class InputNotes {
  /** How times were read, when that is not plain from the input; null when it is. */
  times: string | null = null;
  /** Columns that are no field and are kept with each run. */
  keptColumns: readonly string[] = [];
  private readonly counts = new Map<Remark['kind'], Map<string, number>>();

  /** Counts the remarks of a batch. */
  add(records: readonly JudgedRecord[]): void {
    for (const { outcome } of records) {
      if (outcome.kind !== 'run' || outcome.remarks === undefined) continue;
      for (const remark of outcome.remarks) this.count(remark);
    }
  }

  /** Text -> records with such a remark; what goes beyond 50 texts is counted as `others`. */
  remarks(kind: Remark['kind']): Readonly<Record<string, number>> {
    return Object.fromEntries([...(this.counts.get(kind) ?? [])].sort());
  }

  private count({ kind, what }: Remark): void {
    const counts = this.counts.get(kind) ?? new Map<string, number>();
    const shown = what.slice(0, MAX_CHARACTERS);
    const text = counts.has(shown) || counts.size < MAX_TEXTS ? shown : OTHERS;
    counts.set(text, (counts.get(text) ?? 0) + 1);
    this.counts.set(kind, counts);
  }
}
