import { useCallback, useRef, useState } from "react";
import { type ChatMessage, type ChatParameters, streamChat } from "../../api/chatStream";

/** How an answer came to its end. */
export type AnswerEnd = "stop" | "length" | "stopped" | "error";

export interface Turn {
  id: number;
  role: "user" | "assistant";
  content: string;
  end?: AnswerEnd;
  error?: string;
  stats?: { tokens: number; tokensPerSecond: number; firstTokenMs: number };
}

export interface ChatSettings extends ChatParameters {
  model: string;
  system: string;
}

const toMessages = (turns: Turn[], system: string): ChatMessage[] => [
  ...(system.trim() ? [{ role: "system" as const, content: system }] : []),
  ...turns.filter((turn) => turn.content).map(({ role, content }) => ({ role, content })),
];

/** A conversation: its turns, and what can be done with it. One answer at a time. */
export function useChat() {
  const [turns, setTurns] = useState<Turn[]>([]);
  const [isAnswering, setIsAnswering] = useState(false);
  const abort = useRef<AbortController | null>(null);
  const nextId = useRef(0);

  const answer = useCallback(async (history: Turn[], settings: ChatSettings) => {
    const id = nextId.current++;
    const begun = performance.now();
    let first: number | null = null;
    const change = (news: (turn: Turn) => Partial<Turn>) =>
      setTurns((all) => all.map((turn) => (turn.id === id ? { ...turn, ...news(turn) } : turn)));

    const controller = new AbortController();
    abort.current = controller;
    setIsAnswering(true);
    setTurns([...history, { id, role: "assistant", content: "" }]);
    const { model, system, ...parameters } = settings;
    try {
      await streamChat(model, toMessages(history, system), parameters, controller.signal, (event) => {
        if (event.kind === "text") {
          first ??= performance.now();
          change((turn) => ({ content: turn.content + event.text }));
        } else if (event.kind === "finish") {
          change(() => ({ end: event.reason === "length" ? "length" : "stop" }));
        } else {
          const now = performance.now();
          const seconds = Math.max(now - (first ?? now), 1) / 1000;
          change(() => ({
            stats: {
              tokens: event.completionTokens,
              tokensPerSecond: Math.max(event.completionTokens - 1, 0) / seconds,
              firstTokenMs: (first ?? now) - begun,
            },
          }));
        }
      });
    } catch (error) {
      if (controller.signal.aborted) change(() => ({ end: "stopped" }));
      else change(() => ({ end: "error", error: error instanceof Error ? error.message : String(error) }));
    } finally {
      if (abort.current === controller) {
        abort.current = null;
        setIsAnswering(false);
      }
    }
  }, []);

  const send = (text: string, settings: ChatSettings) =>
    answer([...turns, { id: nextId.current++, role: "user", content: text }], settings);

  const regenerate = (settings: ChatSettings) => {
    const lastUser = turns.findLastIndex((turn) => turn.role === "user");
    return lastUser < 0 ? Promise.resolve() : answer(turns.slice(0, lastUser + 1), settings);
  };

  const stop = () => abort.current?.abort();

  const clear = () => {
    stop();
    setTurns([]);
  };

  return { turns, isAnswering, send, regenerate, stop, clear };
}
