import { Anchor, Group, Stack, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Plugin } from "../../api/client";
import { formatBytes } from "../../ui/format";
import { formatLatency, formatReason } from "./figures";
import { healthOf, Mark, PluginMarks, StateBadge } from "./states";

const HEALTH_COLORS = { well: "green", off: "gray", changing: "blue", unwell: "red" };

/** One row for each plugin, broken ones too. On a phone the figures are left to the plugin's own page. */
export function PluginsTable({ plugins }: { plugins: Plugin[] }) {
  const { t } = useTranslation();
  return (
    <Table.ScrollContainer
      minWidth={300}
      type="native"
      tabIndex={0}
      role="region"
      aria-label={t("plugins.title")}
    >
      <Table aria-label={t("plugins.title")} verticalSpacing="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("plugins.plugin")}</Table.Th>
            <Table.Th>{t("plugins.state")}</Table.Th>
            <Table.Th>{t("plugins.health")}</Table.Th>
            <Table.Th visibleFrom="sm">{t("plugins.calls")}</Table.Th>
            <Table.Th visibleFrom="sm">{t("plugins.failures")}</Table.Th>
            <Table.Th visibleFrom="sm">{t("plugins.p95")}</Table.Th>
            <Table.Th visibleFrom="sm">{t("plugins.memory")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {plugins.map((plugin) => (
            <PluginRow key={plugin.id} plugin={plugin} />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function PluginRow({ plugin }: { plugin: Plugin }) {
  const { t } = useTranslation();
  const [publisher, name] = plugin.id.split("/");
  const health = healthOf(plugin);
  return (
    <Table.Tr>
      <Table.Td>
        <Stack gap={4}>
          <Group gap="xs">
            <Anchor
              component={Link}
              to="/plugins/$publisher/$name"
              params={{ publisher, name } as never}
              fw={600}
              underline="always"
            >
              {plugin.id}
            </Anchor>
            <Text size="sm">{plugin.version}</Text>
            <PluginMarks plugin={plugin} />
          </Group>
          {plugin.manifest?.summary && <Text size="sm">{plugin.manifest.summary}</Text>}
          {plugin.reason && health === "unwell" && (
            <Text size="sm" fw={500} style={{ overflowWrap: "anywhere" }}>
              {formatReason(plugin)}
            </Text>
          )}
        </Stack>
      </Table.Td>
      <Table.Td>
        <StateBadge state={plugin.state} />
      </Table.Td>
      <Table.Td>
        <Mark color={HEALTH_COLORS[health]} text={t(`plugins.healths.${health}`)} />
      </Table.Td>
      <Table.Td visibleFrom="sm">{plugin.calls}</Table.Td>
      <Table.Td visibleFrom="sm">{plugin.failures}</Table.Td>
      <Table.Td visibleFrom="sm">{formatLatency(plugin.p95_milliseconds)}</Table.Td>
      <Table.Td visibleFrom="sm">{formatBytes(plugin.memory_bytes)}</Table.Td>
    </Table.Tr>
  );
}
