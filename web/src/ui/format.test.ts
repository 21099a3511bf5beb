import { expect, it } from "vitest";
import { formatBytes, formatDuration } from "./format";

it("writes bytes in the largest unit below them", () => {
  expect([0, 1023, 1536, 5 * 1024 ** 3].map(formatBytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]);
});

it("writes durations in their largest whole unit", () => {
  expect([-1, 0, 59, 60, 7260, 90000].map(formatDuration)).toEqual([
    "0 s",
    "0 s",
    "59 s",
    "1 min",
    "2 h",
    "1 d",
  ]);
});
