import type { Plugin, PluginEvent, PluginState } from "../../api/client";

/** What happened to a plugin, as tests tell it: "1.0.0: starting > active @ 20". */
export function eventsOf(...lines: string[]): PluginEvent[] {
  return lines.map((line, index) => {
    const [, version = "", from, to, seconds] = /^(\S+): (\w+) > (\w+) @ (\d+)$/.exec(line) ?? [];
    return {
      sequence: index + 1,
      unix_milliseconds: Number(seconds) * 1000,
      plugin: "acme/guard",
      version,
      from: from as PluginState,
      to: to as PluginState,
      is_before: false,
      generation: 1,
      reason_code: "",
      reason: "",
    };
  });
}

/** A plugin that does its work. */
export function makePlugin(over: Partial<Plugin> = {}): Plugin {
  return {
    id: "acme/guard",
    version: "1.0.0",
    digest: "d1",
    state: "active",
    reason_code: null,
    reason: null,
    since_unix_milliseconds: 0,
    is_enabled: true,
    is_required: false,
    is_signed: false,
    manifest: null,
    config: {},
    granted: { read: [], write: [], network: false },
    pid: 1,
    restarts: 0,
    memory_bytes: 0,
    calls: 0,
    failures: 0,
    rejections: 0,
    busy_seconds: 0,
    p50_milliseconds: 0,
    p95_milliseconds: 0,
    is_circuit_open: false,
    sandbox: [],
    log_tail: [],
    ...over,
  };
}
