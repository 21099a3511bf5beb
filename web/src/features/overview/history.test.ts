import { expect, it } from "vitest";
import { parseMetrics } from "../../api/metrics";
import { extend, HISTORY_SECONDS, momentOf } from "./history";

const scrape = (time: number, text: string) => ({ time, samples: parseMetrics(text) });

it("turns counters into rates over the time between two scrapes", () => {
  const before = scrape(100, 'llamagpu_generation_tokens_total{model="a"} 10');
  const now = scrape(102, 'llamagpu_generation_tokens_total{model="a"} 50\nllamagpu_requests_running 3');

  const moment = momentOf(now, before);

  expect(moment.generatedPerSecond).toBe(20);
  expect(moment.running).toBe(3);
});

it("shows no negative rate after a restart of the server", () => {
  const name = "llamagpu_prompt_tokens_total";

  expect(momentOf(scrape(2, `${name} 1`), scrape(1, `${name} 500`)).promptPerSecond).toBe(0);
});

it("has no latency while nothing is answered", () => {
  expect(momentOf(scrape(2, ""), scrape(1, "")).firstTokenMs).toEqual({ median: null, p95: null });
});

it("keeps five minutes", () => {
  const empty = momentOf(scrape(0, ""), scrape(0, ""));
  const history = extend([{ ...empty, time: 1 }], { ...empty, time: 1 + HISTORY_SECONDS });

  expect(history.map((moment) => moment.time)).toEqual([1 + HISTORY_SECONDS]);
});
