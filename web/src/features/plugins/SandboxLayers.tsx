import { Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { PluginSandboxLayer } from "../../api/client";
import { Mark } from "./states";

/** Each layer, and why not where it is missing. */
export function SandboxLayers({ layers }: { layers: PluginSandboxLayer[] }) {
  const { t } = useTranslation();
  if (layers.length === 0) return <Text size="sm">{t("plugins.noSandbox")}</Text>;
  return (
    <Stack gap={6}>
      {layers.map((layer) => (
        <Group key={layer.layer} gap="xs">
          <Mark
            color={layer.is_active ? "green" : "red"}
            text={t(layer.is_active ? "plugins.layerOn" : "plugins.layerOff")}
          />
          <Text size="sm">{t(`plugins.layers.${layer.layer}`, { defaultValue: layer.layer })}</Text>
          {layer.reason && (
            <Text size="sm" style={{ overflowWrap: "anywhere" }}>
              {layer.reason}
            </Text>
          )}
        </Group>
      ))}
    </Stack>
  );
}
