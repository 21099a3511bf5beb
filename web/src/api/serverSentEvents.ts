import { createParser } from "eventsource-parser";

/**
 * Hands out the data of a response's server-sent events, those that came together at once. Returns when the
 * body ends; throws what its reading throws, and what `onData` throws.
 */
export async function readServerSentEvents(
  response: Response,
  onData: (batch: string[]) => void,
): Promise<void> {
  if (!response.body) return;
  let batch: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => batch.push(data) });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(value);
    if (batch.length > 0) onData(batch);
    batch = [];
  }
}
