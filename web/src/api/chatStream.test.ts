import { expect, it, vi } from "vitest";
import { type ChatEvent, streamChat } from "./chatStream";

const PARAMETERS = { temperature: 1, top_p: 1, top_k: 0, max_tokens: null, seed: null };

/** A response whose body arrives in the given pieces of bytes. */
function answer(pieces: Uint8Array[], status = 200): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      pieces.forEach((piece) => controller.enqueue(piece));
      controller.close();
    },
  });
  return new Response(body, { status, headers: { "Content-Type": "text/event-stream" } });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const data = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;

async function collect(response: Response): Promise<ChatEvent[]> {
  vi.spyOn(globalThis, "fetch").mockResolvedValue(response);
  const events: ChatEvent[] = [];
  await streamChat("m", [], PARAMETERS, new AbortController().signal, (event) => events.push(event));
  return events;
}

it("joins characters that were cut between two pieces", async () => {
  const all = bytes(
    data({ choices: [{ delta: { role: "assistant", content: "" } }] }) +
      data({ choices: [{ delta: { content: "né 🦙" } }] }) +
      data({ choices: [{ delta: {}, finish_reason: "stop" }] }) +
      data({ choices: [], usage: { completion_tokens: 4 } }) +
      "data: [DONE]\n\n",
  );
  const pieces = Array.from(all, (_, i) => all.slice(i, i + 1));

  expect(await collect(answer(pieces))).toEqual([
    { kind: "text", text: "né 🦙" },
    { kind: "finish", reason: "stop" },
    { kind: "usage", completionTokens: 4 },
  ]);
});

it("throws an error that comes in the middle of a stream", async () => {
  const response = answer([bytes(data({ error: { message: "the worker ended", code: "worker_failed" } }))]);

  await expect(collect(response)).rejects.toMatchObject({
    message: "the worker ended",
    code: "worker_failed",
  });
});

it("throws a refusal in the server's words", async () => {
  const response = answer([bytes('{"error":{"message":"no such model","code":"model_not_found"}}')], 404);

  await expect(collect(response)).rejects.toMatchObject({ status: 404, code: "model_not_found" });
});
