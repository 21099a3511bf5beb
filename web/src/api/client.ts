import type { components, paths } from "#schema";
import createClient from "openapi-fetch";
import { toApiError } from "./ApiError";
import { authHeaders } from "./apiKey";
import { type MetricSample, parseMetrics } from "./metrics";

const client = createClient<paths>({ baseUrl: window.location.origin });
client.use({
  onRequest({ request }) {
    for (const [name, value] of Object.entries(authHeaders())) request.headers.set(name, value);
    return request;
  },
});

/** The value of an answer, or throws its error. */
function unwrap<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) throw toApiError(answer.response.status, answer.error);
  return answer.data;
}

export const getModels = async () => unwrap(await client.GET("/v1/models")).data;
export const getWorkers = async () => unwrap(await client.GET("/admin/workers")).workers;
export const getVersion = async () => unwrap(await client.GET("/version")).version;

export const getPlugins = async () => unwrap(await client.GET("/admin/plugins"));
export const getPluginGenerations = async () => unwrap(await client.GET("/admin/plugin-generations"));

/** Changes the set of plugins, or with `dry_run` tells what would change. */
export const changePlugins = async (body: PluginChangeRequest) =>
  unwrap(await client.POST("/admin/plugins/changes", { body }));

/** Every series of /metrics now. */
export async function getMetrics(): Promise<MetricSample[]> {
  const response = await fetch("/metrics", { headers: authHeaders() });
  if (!response.ok) throw toApiError(response.status, undefined);
  return parseMetrics(await response.text());
}

export type Model = Awaited<ReturnType<typeof getModels>>[number];
export type Worker = Awaited<ReturnType<typeof getWorkers>>[number];

type Schemas = components["schemas"];
export type PluginList = Schemas["PluginList"];
export type Plugin = Schemas["Plugin"];
export type PluginState = Schemas["PluginState"];
export type PluginEvent = Schemas["PluginEvent"];
export type PluginSandboxLayer = Schemas["PluginSandboxLayer"];
export type PluginGeneration = Schemas["PluginGeneration"];
export type PluginChangePlan = Schemas["PluginChangePlan"];
export type PluginChangeRequest = Schemas["PluginChangeRequest"];
