/** Milliseconds of a process's calls; "-" before the first. */
export const formatLatency = (milliseconds: number): string =>
  milliseconds > 0 ? `${milliseconds.toFixed(milliseconds < 10 ? 2 : 0)} ms` : "-";

/** A moment as people of this place write it. */
export const formatMoment = (unixSeconds: number): string =>
  new Date(unixSeconds * 1000).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" });

/** Why something is so, for people and for programs. */
export const formatReason = (from: { reason: string | null; reason_code: string | null }): string =>
  from.reason && from.reason_code
    ? `${from.reason} (${from.reason_code})`
    : from.reason || from.reason_code || "";

/** By name. */
export const sortedEntries = (record: Record<string, string>): [string, string][] =>
  Object.entries(record).sort(([a], [b]) => a.localeCompare(b));
