import { toApiError } from "./ApiError";
import { authHeaders } from "./apiKey";
import type { PluginEvent } from "./client";
import { readServerSentEvents } from "./serverSentEvents";

/**
 * Hears of what happens to plugins: all events that the server keeps, then each new one. Calls `onOpen` when the
 * stream stands, before any event. Ends when the server ends it; throws ApiError for a refusal.
 */
export async function streamPluginEvents(
  signal: AbortSignal,
  onOpen: () => void,
  onEvents: (events: PluginEvent[]) => void,
): Promise<void> {
  const response = await fetch("/admin/plugin-events", {
    headers: { Accept: "text/event-stream", ...authHeaders() },
    signal,
  });
  if (!response.ok) throw toApiError(response.status, await response.json().catch(() => undefined));
  onOpen();
  await readServerSentEvents(response, (batch) =>
    onEvents(batch.map((data) => JSON.parse(data) as PluginEvent)),
  );
}
