import type { PluginEvent, PluginState } from "../../api/client";
import { happened } from "./eventFeed";

/** A stretch of time in one state; unix seconds. `end` is null while it lasts. */
export interface Stretch {
  state: PluginState;
  start: number;
  end: number | null;
}

/** One process of a plugin through its states. A swap has two of them side by side. */
export interface Lane {
  version: string;
  stretches: Stretch[];
}

const ENDED: PluginState[] = ["stopped", "quarantined"];

const current = (lane: Lane): Stretch | undefined => lane.stretches.at(-1);

// The set tells, too, what its change came to, in the states that the plugin had for it: no process is meant.
const isSaidOfAnother = (lanes: Lane[], event: PluginEvent): boolean => {
  const same = lanes.filter((lane) => lane.version === event.version);
  return (
    same.some((lane) => current(lane)?.state === event.to) || (same.length > 0 && ENDED.includes(event.to))
  );
};

function note(lanes: Lane[], event: PluginEvent): void {
  const time = event.unix_milliseconds / 1000;
  // Where two of one version are in the same state, the older one is what a swap replaces.
  const known = lanes.find((lane) => lane.version === event.version && current(lane)?.state === event.from);
  if (known ? event.from === event.to : isSaidOfAnother(lanes, event)) return;
  const stretch = { state: event.to, start: time, end: null };
  const last = known && current(known);
  if (known && last) {
    last.end = time;
    known.stretches.push(stretch);
  } else {
    lanes.push({ version: event.version, stretches: [stretch] });
  }
}

// That a process is gone says something of the newest one only.
const withoutRest = (lane: Lane): Lane => ({
  ...lane,
  stretches: lane.stretches.filter((one) => one.state !== "stopped"),
});

/** The lanes that a plugin's events tell of, oldest first; those that ended before `since` are left out. */
export function lanesOf(events: PluginEvent[], plugin: string, since: number): Lane[] {
  const lanes: Lane[] = [];
  for (const event of happened(events, plugin)) note(lanes, event);
  const shown = lanes.filter((lane) => {
    const last = current(lane);
    return last && (!ENDED.includes(last.state) || last.start >= since);
  });
  return shown.map((lane, index) => (index < shown.length - 1 ? withoutRest(lane) : lane));
}

/** A stretch as shares of the picture from `since` to `now`; null where it lies outside. */
export function placeOf(
  stretch: Stretch,
  since: number,
  now: number,
): { left: number; width: number } | null {
  const start = Math.max(stretch.start, since);
  const end = Math.min(stretch.end ?? now, now);
  if (end < since || start > now) return null;
  const length = now - since;
  return { left: (start - since) / length, width: Math.max(end - start, 0) / length };
}
