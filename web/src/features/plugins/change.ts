import { ApiError } from "../../api/ApiError";
import { changePlugins, type PluginChangePlan, type PluginChangeRequest } from "../../api/client";
import type { Config } from "./configForm";

/** A change that somebody wants, before it is confirmed. */
export type Change =
  | { action: "install"; source: string }
  | { action: "enable" | "disable" | "reload" | "remove" | "release"; plugin: string }
  | { action: "configure"; plugin: string; config: Config }
  | { action: "rollback"; generation: number };

interface Consent {
  allow_unsigned: boolean;
  dry_run: boolean;
}

// The description of the API cannot say what a config holds.
const send = (change: Change, consent: Consent) =>
  changePlugins({ ...change, ...consent } as PluginChangeRequest);

/** What would be done. A dry run changes nothing, so it may speak of unsigned packages, too. */
export const planChange = async (change: Change): Promise<PluginChangePlan> =>
  (await send(change, { allow_unsigned: true, dry_run: true })).plan;

/** Does it; answers with the number of the generation that is current then. */
export async function applyChange(change: Change, allowsUnsigned: boolean): Promise<number> {
  const { generation } = await send(change, { allow_unsigned: allowsUnsigned, dry_run: false });
  return generation?.number ?? 0;
}

/** Whether the package that a change brings needs a consent: the plan says so, or the server did. */
export const needsConsent = (change: Change, plan: PluginChangePlan, refusal: unknown): boolean =>
  change.action === "install" &&
  (plan.warnings.some((warning) => /\bunsigned\b/i.test(warning)) ||
    (refusal instanceof ApiError && refusal.code === "plugin_unsigned"));

/** Whether there is anything to do. A release changes no plugin of the set. */
export const hasEffect = (change: Change, plan: PluginChangePlan): boolean =>
  change.action === "release" || plan.steps.length > 0;
