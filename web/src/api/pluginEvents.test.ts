import { expect, it, vi } from "vitest";
import { ApiError } from "./ApiError";
import { streamPluginEvents } from "./pluginEvents";

const stream = (...chunks: string[]) =>
  new Response(
    new ReadableStream({
      start(controller) {
        chunks.forEach((chunk) => controller.enqueue(new TextEncoder().encode(chunk)));
        controller.close();
      },
    }),
  );

it("hands out the events of each piece together, over the borders of pieces too", async () => {
  vi.spyOn(globalThis, "fetch").mockResolvedValue(
    stream(
      'id: 1\ndata: {"sequence":1}\n\nid: 2\ndata: {"sequence":2}\n\nid: 3\nda',
      'ta: {"sequence":3}\n\n: keep-alive\n\n',
    ),
  );
  const batches: number[][] = [];
  const onOpen = vi.fn();

  await streamPluginEvents(new AbortController().signal, onOpen, (events) =>
    batches.push(events.map((event) => event.sequence)),
  );

  expect(onOpen).toHaveBeenCalledOnce();
  expect(batches).toEqual([[1, 2], [3]]);
});

it("throws what the server refuses with", async () => {
  const body = JSON.stringify({ error: { message: "no", code: "not_found" } });
  vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response(body, { status: 404 }));
  const onOpen = vi.fn();

  await expect(streamPluginEvents(new AbortController().signal, onOpen, vi.fn())).rejects.toEqual(
    new ApiError("no", 404, "not_found"),
  );
  expect(onOpen).not.toHaveBeenCalled();
});
