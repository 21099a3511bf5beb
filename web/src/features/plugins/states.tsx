import { Badge } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Plugin, PluginState } from "../../api/client";

/** Of badges and of the timeline. */
export const STATE_COLORS: Record<PluginState, string> = {
  discovered: "gray",
  validated: "gray",
  resolved: "gray",
  starting: "blue",
  probing: "cyan",
  active: "green",
  draining: "yellow",
  stopped: "gray",
  failed: "red",
  quarantined: "grape",
};

/** A badge whose text keeps its contrast on every color. */
export function Mark({ color, text, title }: { color: string; text: string; title?: string }) {
  return (
    <Badge
      color={color}
      variant="light"
      tt="none"
      c="var(--mantine-color-text)"
      miw="max-content"
      title={title}
    >
      {text}
    </Badge>
  );
}

export function StateBadge({ state }: { state: PluginState }) {
  const { t } = useTranslation();
  return <Mark color={STATE_COLORS[state]} text={t(`plugins.states.${state}`)} />;
}

/** What else one should know of a plugin at a glance. */
export function PluginMarks({ plugin }: { plugin: Plugin }) {
  const { t } = useTranslation();
  return (
    <>
      {!plugin.is_signed && (
        <Mark color="orange" text={t("plugins.unsigned")} title={t("plugins.unsignedHelp")} />
      )}
      {plugin.is_required && (
        <Mark color="indigo" text={t("plugins.required")} title={t("plugins.requiredHelp")} />
      )}
      {!plugin.is_enabled && <Mark color="gray" text={t("plugins.disabled")} />}
      {plugin.is_circuit_open && (
        <Mark color="red" text={t("plugins.circuitOpen")} title={t("plugins.circuitHelp")} />
      )}
    </>
  );
}

export type Health = "well" | "off" | "changing" | "unwell";

/** Whether a plugin does its work; a reason beside the active state is one that it gave itself. */
export function healthOf(plugin: Plugin): Health {
  if (plugin.state === "failed" || plugin.state === "quarantined") return "unwell";
  if (!plugin.is_enabled) return plugin.state === "stopped" ? "off" : "changing";
  if (plugin.state !== "active") return plugin.state === "stopped" ? "unwell" : "changing";
  return plugin.is_circuit_open || plugin.reason_code === "health_failing" ? "unwell" : "well";
}
