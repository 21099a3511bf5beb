/** One series of a Prometheus text page. */
export interface MetricSample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

const parseValue = (text: string): number =>
  text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number.parseFloat(text);

const unescape = (text: string): string => text.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c));

/** Parses Prometheus text exposition; comments and lines of another form are passed over. */
export function parseMetrics(text: string): MetricSample[] {
  return text.split("\n").flatMap((line) => {
    const match = line.startsWith("#") ? null : LINE.exec(line);
    if (!match?.[1] || !match[3]) return [];
    const labels = [...(match[2] ?? "").matchAll(LABEL)].map(([, key = "", value = ""]) => [
      key,
      unescape(value),
    ]);
    return [{ name: match[1], labels: Object.fromEntries(labels), value: parseValue(match[3]) }];
  });
}

/** The sum over all series of a name; 0 where there is none. */
export const sumOf = (samples: MetricSample[], name: string): number =>
  samples.filter((sample) => sample.name === name).reduce((sum, sample) => sum + sample.value, 0);

/** Cumulative counts of a histogram by upper bound, all label sets added. */
export function bucketsOf(samples: MetricSample[], name: string): Map<number, number> {
  const buckets = new Map<number, number>();
  for (const { name: series, labels, value } of samples) {
    if (series !== `${name}_bucket` || labels["le"] === undefined) continue;
    const bound = parseValue(labels["le"]);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  return buckets;
}

/**
 * The q-quantile of what a histogram counted between two scrapes, linear inside a bucket as Prometheus does it;
 * null when nothing was counted.
 */
export function quantile(q: number, now: Map<number, number>, before: Map<number, number>): number | null {
  const bounds = [...now.keys()].sort((a, b) => a - b);
  const counts = bounds.map((bound) => (now.get(bound) ?? 0) - (before.get(bound) ?? 0));
  const total = counts.at(-1) ?? 0;
  if (total <= 0) return null;
  const rank = q * total;
  const index = counts.findIndex((count) => count >= rank);
  const upper = bounds[index] ?? Infinity;
  const lower = index > 0 ? (bounds[index - 1] ?? 0) : 0;
  if (!Number.isFinite(upper)) return lower;
  const below = index > 0 ? (counts[index - 1] ?? 0) : 0;
  const inside = (counts[index] ?? 0) - below;
  return lower + (upper - lower) * (inside > 0 ? (rank - below) / inside : 1);
}
