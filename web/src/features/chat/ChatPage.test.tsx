import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it, vi } from "vitest";
import * as stream from "../../api/chatStream";
import * as client from "../../api/client";
import { ChatPage } from "./ChatPage";

const MODEL = { id: "tiny", object: "model", created: 0, owned_by: "llama-gpu" } as client.Model;

function renderPage() {
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient()}>
        <ChatPage />
      </QueryClientProvider>
    </MantineProvider>,
  );
}

async function ask(text: string) {
  const user = userEvent.setup();
  const box = await screen.findByRole("textbox", { name: "Message" });
  await waitFor(() =>
    expect(screen.getByRole("combobox", { name: "Model" })).toHaveProperty("value", "tiny"),
  );
  await user.type(box, `${text}{Enter}`);
  return user;
}

beforeEach(() => {
  localStorage.clear();
  vi.spyOn(client, "getModels").mockResolvedValue([MODEL]);
});

it("shows an answer as it comes, with its speed", async () => {
  vi.spyOn(stream, "streamChat").mockImplementation(
    async (_model, messages, _parameters, _signal, onEvent) => {
      onEvent({ kind: "text", text: `You said ${messages.at(-1)?.content}` });
      onEvent({ kind: "finish", reason: "stop" });
      onEvent({ kind: "usage", completionTokens: 7 });
    },
  );
  renderPage();

  await ask("hi there");

  expect(await screen.findByText("You said hi there")).toBeTruthy();
  expect(screen.getByText(/^7 tokens/)).toBeTruthy();
});

it("stops an answer and says so", async () => {
  vi.spyOn(stream, "streamChat").mockImplementation(
    async (_model, _messages, _parameters, signal, onEvent) => {
      onEvent({ kind: "text", text: "endless" });
      await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(new DOMException("", "AbortError"))),
      );
    },
  );
  renderPage();
  const user = await ask("go");

  await user.click(await screen.findByRole("button", { name: "Stop" }));

  expect(await screen.findByText("Stopped.")).toBeTruthy();
  expect(screen.getByRole("button", { name: "Send" })).toBeTruthy();
});

it("shows the server's words when it refuses", async () => {
  vi.spyOn(stream, "streamChat").mockRejectedValue(
    new Error("the prompt has 9000 tokens, the model takes 8192"),
  );
  renderPage();

  await ask("long");

  expect(await screen.findByText("the prompt has 9000 tokens, the model takes 8192")).toBeTruthy();
});
