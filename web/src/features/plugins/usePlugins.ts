import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useReducer } from "react";
import { ApiError } from "../../api/ApiError";
import { getPluginGenerations, getPlugins, type PluginList } from "../../api/client";
import { streamPluginEvents } from "../../api/pluginEvents";
import { EMPTY_FEED, type EventFeed, reduceFeed } from "./eventFeed";
import { extendHistories, type Sample } from "./history";

interface Recording {
  list: PluginList;
  histories: Record<string, Sample[]>;
  time: number; // unix seconds
}

const PLUGINS = ["plugins"];
const GENERATIONS = ["plugin-generations"];
const LOOK_MS = 2000;
const RECONNECT_MS = 1000;

/** Every plugin now and its last minutes: looked at every two seconds, and after each event. */
export function usePlugins() {
  const queries = useQueryClient();
  return useQuery<Recording>({
    queryKey: PLUGINS,
    // A refusal stays one until somebody changes something.
    refetchInterval: ({ state }) => (state.error instanceof ApiError ? false : LOOK_MS),
    structuralSharing: false,
    gcTime: Infinity,
    queryFn: async () => {
      const list = await getPlugins();
      const time = Date.now() / 1000;
      const before = queries.getQueryData<Recording>(PLUGINS)?.histories ?? {};
      return { list, time, histories: extendHistories(before, list.plugins, time) };
    },
  });
}

/** The generations that are kept, newest first. */
export function useGenerations() {
  return useQuery({
    queryKey: GENERATIONS,
    queryFn: async () => (await getPluginGenerations()).generations.toReversed(),
  });
}

/** Makes what is shown of plugins new. */
export function useRefresh() {
  const queries = useQueryClient();
  return () => {
    void queries.invalidateQueries({ queryKey: PLUGINS });
    void queries.invalidateQueries({ queryKey: GENERATIONS });
  };
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The live events of plugins while `isEnabled`; connects again where the connection is lost. */
export function useEventFeed(isEnabled: boolean): EventFeed {
  const queries = useQueryClient();
  const [feed, tell] = useReducer(reduceFeed, EMPTY_FEED);

  useEffect(() => {
    if (!isEnabled) return;
    const ending = new AbortController();
    const listen = async () => {
      while (!ending.signal.aborted) {
        await streamPluginEvents(
          ending.signal,
          () => tell({ kind: "opened" }),
          (events) => {
            tell({ kind: "came", events });
            void queries.invalidateQueries({ queryKey: PLUGINS });
            void queries.invalidateQueries({ queryKey: GENERATIONS });
          },
        ).catch(() => undefined); // the look at the list tells why
        if (ending.signal.aborted) return;
        tell({ kind: "lost" });
        await pause(RECONNECT_MS);
      }
    };
    void listen();
    return () => ending.abort();
  }, [isEnabled, queries]);

  return feed;
}
