import { expect, it } from "vitest";
import { EMPTY_FEED, EVENTS_KEPT, failureBeside, happened, reduceFeed } from "./eventFeed";
import { eventsOf } from "./testData";

const [first, second] = eventsOf("1.0.0: resolved > starting @ 1", "1.0.0: starting > active @ 2");
if (!first || !second) throw new Error("two events are needed");

it("begins anew with each stream, since another life of the server counts from one again", () => {
  const before = reduceFeed(EMPTY_FEED, { kind: "came", events: [first, second] });

  const opened = reduceFeed(before, { kind: "opened" });

  expect(opened).toEqual({ isLive: true, events: [] });
  expect(reduceFeed(opened, { kind: "came", events: [first] }).events).toEqual([first]);
});

it("keeps what it knows while the connection is lost, and says that it is", () => {
  const live = reduceFeed({ isLive: true, events: [] }, { kind: "came", events: [first] });

  expect(reduceFeed(live, { kind: "lost" })).toEqual({ isLive: false, events: [first] });
});

it("takes each event once", () => {
  const feed = reduceFeed(EMPTY_FEED, { kind: "came", events: [first] });

  expect(reduceFeed(feed, { kind: "came", events: [first, second] }).events).toEqual([first, second]);
});

it("drops the oldest beyond its limit", () => {
  const many = Array.from({ length: EVENTS_KEPT + 5 }, (_, index) => ({ ...first, sequence: index + 1 }));

  const { events } = reduceFeed(EMPTY_FEED, { kind: "came", events: many });

  expect(events.length).toBe(EVENTS_KEPT);
  expect(events[0]?.sequence).toBe(6);
});

it("leaves out what was only announced, and other plugins", () => {
  const announced = { ...first, is_before: true };
  const other = { ...first, plugin: "acme/other" };

  expect(happened([announced, other, second], "acme/guard")).toEqual([second]);
  expect(happened([announced, other, second])).toEqual([other, second]);
});

it("tells of an update that failed beside the version that serves", () => {
  const events = eventsOf(
    "1.0.0: probing > active @ 1",
    "2.0.0: probing > failed @ 5",
    "2.0.0: failed > draining @ 6",
    "1.0.0: active > active @ 7",
  );

  expect(failureBeside(events, "acme/guard", "1.0.0")?.version).toBe("2.0.0");
});

it("tells of a version that failed after its switch and was rolled back", () => {
  const events = eventsOf(
    "2.0.0: probing > active @ 1",
    "2.0.0: active > failed @ 2",
    "1.0.0: probing > active @ 3",
    "2.0.0: failed > stopped @ 4",
  );

  expect(failureBeside(events, "acme/guard", "1.0.0")?.to).toBe("failed");
});

it("forgets a failure once the serving version was started after it, and knows none of its own", () => {
  const repaired = eventsOf("2.0.0: probing > failed @ 1", "2.0.1: probing > active @ 2");
  const own = eventsOf("1.0.0: active > failed @ 1");

  expect(failureBeside(repaired, "acme/guard", "2.0.1")).toBeNull();
  expect(failureBeside(own, "acme/guard", "1.0.0")).toBeNull();
});
