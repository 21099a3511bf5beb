import { expect, it } from "vitest";
import { extendHistories, HISTORY_SECONDS } from "./history";
import { makePlugin } from "./testData";

const ID = "acme/guard";

it("turns counters into rates between two looks", () => {
  const first = extendHistories({}, [makePlugin({ calls: 10 })], 100);
  const second = extendHistories(first, [makePlugin({ calls: 30, failures: 4 })], 102);

  expect(second[ID]?.map((sample) => [sample.callsPerSecond, sample.failuresPerSecond])).toEqual([
    [0, 0],
    [10, 2],
  ]);
});

it("shows no negative rate where a count begins again", () => {
  const first = extendHistories({}, [makePlugin({ calls: 10 })], 100);

  expect(extendHistories(first, [makePlugin({ calls: 1 })], 102)[ID]?.at(-1)?.callsPerSecond).toBe(0);
});

it("knows no latency before the first call of a process", () => {
  const sample = (p50_milliseconds: number, p95_milliseconds: number) =>
    extendHistories({}, [makePlugin({ calls: 9, p50_milliseconds, p95_milliseconds })], 1)[ID]?.[0];

  expect(sample(0, 0)).toMatchObject({ p50: null, p95: null });
  expect(sample(1, 2)).toMatchObject({ p50: 1, p95: 2 });
});

it("takes no sample too soon after the last", () => {
  const first = extendHistories({}, [makePlugin()], 100);

  expect(extendHistories(first, [makePlugin({ calls: 1 })], 100.1)).toEqual(first);
});

it("forgets what is old, and plugins that are gone", () => {
  const first = extendHistories({}, [makePlugin(), makePlugin({ id: "acme/gone" })], 100);
  const later = extendHistories(first, [makePlugin()], 100 + HISTORY_SECONDS);

  expect(Object.keys(later)).toEqual([ID]);
  expect(later[ID]?.length).toBe(1);
});
