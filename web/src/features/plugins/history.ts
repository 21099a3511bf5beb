import type { Plugin } from "../../api/client";

/** What one look at a plugin showed, reduced to what is drawn. */
export interface Sample {
  time: number; // unix seconds
  calls: number;
  failures: number;
  callsPerSecond: number;
  failuresPerSecond: number;
  p50: number | null; // milliseconds; null before a process's first call
  p95: number | null;
  memoryBytes: number;
  restarts: number;
}

export const HISTORY_SECONDS = 600;
// Looks that follow an event come close together; rates over so short a time would say nothing.
const SHORTEST_STEP_SECONDS = 1;

function sampleOf(plugin: Plugin, time: number, before: Sample | undefined): Sample {
  // A process that is new may count from zero again.
  const rate = (now: number, earlier: number | undefined) =>
    before ? Math.max(now - (earlier ?? 0), 0) / (time - before.time) : 0;
  return {
    time,
    calls: plugin.calls,
    failures: plugin.failures,
    callsPerSecond: rate(plugin.calls, before?.calls),
    failuresPerSecond: rate(plugin.failures, before?.failures),
    p50: plugin.p50_milliseconds || null,
    p95: plugin.p95_milliseconds || null,
    memoryBytes: plugin.memory_bytes,
    restarts: plugin.restarts,
  };
}

/** The samples of each plugin by its id, with one more look at all of them; old ones and plugins gone are dropped. */
export function extendHistories(
  histories: Record<string, Sample[]>,
  plugins: Plugin[],
  time: number,
): Record<string, Sample[]> {
  return Object.fromEntries(
    plugins.map((plugin) => {
      const samples = histories[plugin.id] ?? [];
      const last = samples.at(-1);
      if (last && time - last.time < SHORTEST_STEP_SECONDS) return [plugin.id, samples];
      const kept = samples.filter((sample) => sample.time > time - HISTORY_SECONDS);
      return [plugin.id, [...kept, sampleOf(plugin, time, last)]];
    }),
  );
}
