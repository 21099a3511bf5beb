import { bucketsOf, type MetricSample, quantile, sumOf } from "../../api/metrics";

/** What one look at /metrics showed, reduced to what the page draws. */
export interface Moment {
  time: number; // unix seconds
  running: number;
  waiting: number;
  generatedPerSecond: number;
  promptPerSecond: number;
  firstTokenMs: { median: number | null; p95: number | null };
  interTokenMs: { median: number | null; p95: number | null };
  kvUsed: number;
  kvTotal: number;
  memoryBytes: number;
}

export const HISTORY_SECONDS = 300;

interface Scrape {
  time: number;
  samples: MetricSample[];
}

const rate = (name: string, now: Scrape, before: Scrape): number => {
  const seconds = Math.max(now.time - before.time, 0.001);
  // A restarted server counts from zero again.
  return Math.max(sumOf(now.samples, name) - sumOf(before.samples, name), 0) / seconds;
};

function latency(name: string, now: Scrape, before: Scrape) {
  const [current, earlier] = [bucketsOf(now.samples, name), bucketsOf(before.samples, name)];
  const at = (q: number) => {
    const seconds = quantile(q, current, earlier);
    return seconds === null ? null : seconds * 1000;
  };
  return { median: at(0.5), p95: at(0.95) };
}

/** The moment between two scrapes: rates and latencies are of that time only. */
export function momentOf(now: Scrape, before: Scrape): Moment {
  return {
    time: now.time,
    running: sumOf(now.samples, "llamagpu_requests_running"),
    waiting: sumOf(now.samples, "llamagpu_requests_waiting"),
    generatedPerSecond: rate("llamagpu_generation_tokens_total", now, before),
    promptPerSecond: rate("llamagpu_prompt_tokens_total", now, before),
    firstTokenMs: latency("llamagpu_time_to_first_token_seconds", now, before),
    interTokenMs: latency("llamagpu_inter_token_latency_seconds", now, before),
    kvUsed: sumOf(now.samples, "llamagpu_kv_blocks_used"),
    kvTotal: sumOf(now.samples, "llamagpu_kv_blocks"),
    memoryBytes: sumOf(now.samples, "llamagpu_worker_memory_bytes"),
  };
}

/** The history with one more moment, the oldest beyond HISTORY_SECONDS dropped. */
export const extend = (history: Moment[], moment: Moment): Moment[] => [
  ...history.filter((one) => one.time > moment.time - HISTORY_SECONDS),
  moment,
];
