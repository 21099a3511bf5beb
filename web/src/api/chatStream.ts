import { ApiError, toApiError } from "./ApiError";
import { authHeaders } from "./apiKey";
import { readServerSentEvents } from "./serverSentEvents";

export interface ChatMessage {
  role: "system" | "user" | "assistant";
  content: string;
}

/** What the user may set; a field that is null is left to the server. */
export interface ChatParameters {
  temperature: number;
  top_p: number;
  top_k: number;
  max_tokens: number | null;
  seed: number | null;
}

/** News of an answer while it is made. */
export type ChatEvent =
  | { kind: "text"; text: string }
  | { kind: "finish"; reason: string }
  | { kind: "usage"; completionTokens: number };

interface Chunk {
  choices?: { delta?: { content?: string }; finish_reason?: string | null }[];
  usage?: { completion_tokens: number } | null;
  error?: { message?: string; code?: string | null };
}

function eventsOf(data: string): ChatEvent[] {
  const chunk = JSON.parse(data) as Chunk;
  if (chunk.error) throw new ApiError(chunk.error.message ?? "", 200, chunk.error.code ?? null);
  const choice = chunk.choices?.[0];
  const events: ChatEvent[] = [];
  if (choice?.delta?.content) events.push({ kind: "text", text: choice.delta.content });
  if (choice?.finish_reason) events.push({ kind: "finish", reason: choice.finish_reason });
  if (chunk.usage) events.push({ kind: "usage", completionTokens: chunk.usage.completion_tokens });
  return events;
}

/**
 * Asks for an answer and hands out its events as they come. Throws ApiError for a refusal or an error in the
 * middle of the stream; ends early, without an error, when `signal` is aborted.
 */
export async function streamChat(
  model: string,
  messages: ChatMessage[],
  parameters: ChatParameters,
  signal: AbortSignal,
  onEvent: (event: ChatEvent) => void,
): Promise<void> {
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...authHeaders() },
    body: JSON.stringify({
      model,
      messages,
      ...parameters,
      stream: true,
      stream_options: { include_usage: true },
    }),
    signal,
  });
  if (!response.ok) throw toApiError(response.status, await response.json().catch(() => undefined));
  await readServerSentEvents(response, (batch) =>
    batch.filter((data) => data !== "[DONE]").forEach((data) => eventsOf(data).forEach(onEvent)),
  );
}
