import { expect, it } from "vitest";
import { lanesOf, placeOf } from "./lanes";
import { eventsOf } from "./testData";

const lanes = (since: number, ...lines: string[]) =>
  lanesOf(eventsOf(...lines), "acme/guard", since).map(
    (lane) =>
      `${lane.version}: ${lane.stretches.map((one) => `${one.state} ${one.start}-${one.end}`).join(", ")}`,
  );

it("follows one process through its states", () => {
  expect(lanes(0, "1.0.0: resolved > starting @ 1", "1.0.0: starting > active @ 2")).toEqual([
    "1.0.0: starting 1-2, active 2-null",
  ]);
});

it("shows an update that failed beside the version that goes on", () => {
  expect(
    lanes(
      0,
      "1.0.0: probing > active @ 1",
      "2.0.0: resolved > starting @ 5",
      "2.0.0: starting > failed @ 6",
      "2.0.0: failed > stopped @ 7",
    ),
  ).toEqual(["1.0.0: active 1-null", "2.0.0: starting 5-6, failed 6-7, stopped 7-null"]);
});

it("does not draw the rest of those that others followed", () => {
  expect(
    lanes(0, "1.0.0: probing > active @ 1", "1.0.0: active > stopped @ 5", "2.0.0: probing > active @ 6"),
  ).toEqual(["1.0.0: active 1-5", "2.0.0: active 6-null"]);
});

it("tells the two processes of a reload apart: the older one leaves", () => {
  expect(
    lanes(
      0,
      "1.0.0: probing > active @ 1",
      "1.0.0: resolved > starting @ 5",
      "1.0.0: starting > active @ 6",
      "1.0.0: active > draining @ 7",
    ),
  ).toEqual(["1.0.0: active 1-7, draining 7-null", "1.0.0: starting 5-6, active 6-null"]);
});

it("makes no stretch of a change of reason alone", () => {
  expect(lanes(0, "1.0.0: probing > active @ 1", "1.0.0: active > active @ 3")).toEqual([
    "1.0.0: active 1-null",
  ]);
});

it("takes what the set tells of its change for no process", () => {
  expect(
    lanes(
      0,
      "1.0.0: probing > active @ 1",
      "1.0.0: discovered > active @ 2",
      "1.0.0: active > draining @ 3",
      "1.0.0: active > stopped @ 4",
    ),
  ).toEqual(["1.0.0: active 1-3, draining 3-null"]);
});

it("leaves out what ended before the picture begins, but not what fails since then", () => {
  expect(lanes(100, "1.0.0: draining > stopped @ 10", "2.0.0: active > failed @ 20")).toEqual([
    "2.0.0: failed 20-null",
  ]);
});

it("places a stretch within the picture", () => {
  expect(placeOf({ state: "active", start: 50, end: null }, 100, 200)).toEqual({ left: 0, width: 1 });
  expect(placeOf({ state: "active", start: 125, end: 150 }, 100, 200)).toEqual({ left: 0.25, width: 0.25 });
  expect(placeOf({ state: "active", start: 10, end: 20 }, 100, 200)).toBeNull();
  expect(placeOf({ state: "active", start: 201, end: null }, 100, 200)).toBeNull();
});
