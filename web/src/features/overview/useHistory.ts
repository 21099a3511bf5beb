import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getMetrics } from "../../api/client";
import type { MetricSample } from "../../api/metrics";
import { extend, type Moment, momentOf } from "./history";

interface Recording {
  history: Moment[];
  last: { time: number; samples: MetricSample[] } | null;
}

const KEY = ["metrics"];

/** The last minutes of /metrics, one look a second while the page is open; kept when one comes back to it. */
export function useHistory() {
  const queries = useQueryClient();
  return useQuery<Recording>({
    queryKey: KEY,
    refetchInterval: 1000,
    gcTime: Infinity,
    queryFn: async () => {
      const before = queries.getQueryData<Recording>(KEY);
      const now = { time: Date.now() / 1000, samples: await getMetrics() };
      const history = before?.history ?? [];
      return { last: now, history: before?.last ? extend(history, momentOf(now, before.last)) : history };
    },
  });
}
