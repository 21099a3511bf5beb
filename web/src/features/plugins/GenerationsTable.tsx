import { Button, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { PluginGeneration } from "../../api/client";
import { ErrorNotice } from "../../ui/ErrorNotice";
import type { Change } from "./change";
import { formatMoment } from "./figures";
import { Mark } from "./states";
import { useGenerations } from "./usePlugins";

interface GenerationsTableProps {
  current: number;
  /** Shows which version of it each has. */
  plugin?: string;
  onRollback: (change: Change) => void;
}

/** The sets of plugins that are kept, newest first, and the way back to each. */
export function GenerationsTable({ current, plugin, onRollback }: GenerationsTableProps) {
  const { t } = useTranslation();
  const generations = useGenerations();
  if (generations.isPending) return <Text role="status">{t("plugins.loading")}</Text>;
  if (generations.isError)
    return <ErrorNotice error={generations.error} onRetry={() => void generations.refetch()} />;
  if (generations.data.length === 0) return <Text size="sm">{t("plugins.noGenerations")}</Text>;
  return (
    <Table.ScrollContainer
      minWidth={640}
      type="native"
      tabIndex={0}
      role="region"
      aria-label={t("plugins.generations")}
    >
      <Table aria-label={t("plugins.generations")}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("plugins.number")}</Table.Th>
            <Table.Th>{t("plugins.when")}</Table.Th>
            <Table.Th>{t("plugins.madeBy")}</Table.Th>
            <Table.Th>{t(plugin ? "plugins.version" : "plugins.contents")}</Table.Th>
            <Table.Th>{t("plugins.rollback")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {generations.data.map((generation) => (
            <Table.Tr key={generation.number}>
              <Table.Td>{generation.number}</Table.Td>
              <Table.Td style={{ whiteSpace: "nowrap" }}>{formatMoment(generation.created)}</Table.Td>
              <Table.Td>{generation.reason}</Table.Td>
              <Table.Td>
                <Contents generation={generation} plugin={plugin} />
              </Table.Td>
              <Table.Td>
                {generation.number === current ? (
                  <Mark color="green" text={t("plugins.current")} />
                ) : (
                  <Button
                    size="xs"
                    variant="default"
                    aria-label={t("plugins.ask.rollback", { generation: generation.number })}
                    onClick={() => onRollback({ action: "rollback", generation: generation.number })}
                  >
                    {t("plugins.rollback")}
                  </Button>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

function Contents({ generation, plugin }: { generation: PluginGeneration; plugin: string | undefined }) {
  const { t } = useTranslation();
  const named = generation.plugins.filter((one) => plugin === undefined || one.id === plugin);
  if (named.length === 0) return t(plugin ? "plugins.notThere" : "plugins.emptySet");
  return named
    .map((one) => {
      const text = plugin ? one.version : `${one.id} ${one.version}`;
      return one.is_enabled ? text : t("plugins.offInSet", { text });
    })
    .join(", ");
}
