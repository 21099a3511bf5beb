import { useSyncExternalStore } from "react";

const STORAGE_KEY = "llama-gpu.api-key";
const listeners = new Set<() => void>();
let isNeeded = false;

/** The key that this tab sends, or "". */
export const apiKey = (): string => sessionStorage.getItem(STORAGE_KEY) ?? "";

export function setApiKey(key: string): void {
  sessionStorage.setItem(STORAGE_KEY, key.trim());
}

/** Notes that the server answered 401. */
export function noteUnauthorized(): void {
  isNeeded = true;
  listeners.forEach((listener) => listener());
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** Whether the server asked for a key since the page was loaded. */
export const useNeedsApiKey = (): boolean => useSyncExternalStore(subscribe, () => isNeeded);

/** The headers that carry the key. */
export const authHeaders = (): Record<string, string> =>
  apiKey() ? { Authorization: `Bearer ${apiKey()}` } : {};
