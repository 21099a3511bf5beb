import type { paths } from "#schema";
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

/** Every series of /metrics now. */
export async function getMetrics(): Promise<MetricSample[]> {
  const response = await fetch("/metrics", { headers: authHeaders() });
  if (!response.ok) throw toApiError(response.status, undefined);
  return parseMetrics(await response.text());
}

export type Model = Awaited<ReturnType<typeof getModels>>[number];
export type Worker = Awaited<ReturnType<typeof getWorkers>>[number];
