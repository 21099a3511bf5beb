import type { PluginEvent } from "../../api/client";

/** What the page knows of the events of plugins, oldest first. */
export interface EventFeed {
  isLive: boolean;
  events: PluginEvent[];
}

export type FeedNews = { kind: "opened" } | { kind: "lost" } | { kind: "came"; events: PluginEvent[] };

export const EMPTY_FEED: EventFeed = { isLive: false, events: [] };
export const EVENTS_KEPT = 1000;

/**
 * The feed after some news. A stream that opens tells everything that the server keeps, so it starts the list
 * anew: sequences of another life of the server would not fit to those of this one.
 */
export function reduceFeed(feed: EventFeed, news: FeedNews): EventFeed {
  switch (news.kind) {
    case "opened":
      return { isLive: true, events: [] };
    case "lost":
      return { ...feed, isLive: false };
    case "came": {
      const last = feed.events.at(-1)?.sequence ?? 0;
      const later = news.events.filter((event) => event.sequence > last);
      return { ...feed, events: [...feed.events, ...later].slice(-EVENTS_KEPT) };
    }
  }
}

/** What happened, not what was about to; of one plugin where `plugin` is given. */
export const happened = (events: PluginEvent[], plugin?: string): PluginEvent[] =>
  events.filter((event) => !event.is_before && (plugin === undefined || event.plugin === plugin));

/**
 * The newest failure of another version than the one that serves: what an update came to. None once the serving
 * version was started after all that.
 */
export function failureBeside(events: PluginEvent[], plugin: string, version: string): PluginEvent | null {
  const all = happened(events, plugin);
  const failure = all.findLast(
    (event) => event.version !== version && (event.to === "failed" || event.to === "quarantined"),
  );
  if (!failure) return null;
  const end = all.findLast((event) => event.version === failure.version) ?? failure;
  const isStart = (event: PluginEvent) =>
    event.version === version && event.to === "active" && event.from !== "active";
  const isPast = all.some((event) => isStart(event) && event.sequence > end.sequence);
  return isPast ? null : failure;
}
