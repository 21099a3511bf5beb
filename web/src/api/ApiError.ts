import { noteUnauthorized } from "./apiKey";

/** An answer of the server that is an error, in its own words. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string | null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

interface ErrorBody {
  error?: { message?: string; code?: string | null };
}

/** The ApiError that a failed response stands for. */
export function toApiError(status: number, body: unknown): ApiError {
  if (status === 401) noteUnauthorized();
  const error = (body as ErrorBody | undefined)?.error;
  return new ApiError(error?.message ?? `HTTP ${status}`, status, error?.code ?? null);
}
