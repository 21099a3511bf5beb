import { Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { PluginEvent } from "../../api/client";
import { happened } from "./eventFeed";
import { formatMoment, formatReason } from "./figures";
import { Mark, StateBadge } from "./states";

interface EventsTableProps {
  events: PluginEvent[];
  /** Only of this one, whose name is left out. */
  plugin?: string;
  limit: number;
}

/** What happened, newest first. */
export function EventsTable({ events, plugin, limit }: EventsTableProps) {
  const { t } = useTranslation();
  const shown = happened(events, plugin).slice(-limit).toReversed();
  if (shown.length === 0) return <Text size="sm">{t("plugins.noEvents")}</Text>;
  return (
    <Table.ScrollContainer
      minWidth={640}
      type="native"
      tabIndex={0}
      role="region"
      aria-label={t("plugins.events")}
    >
      <Table aria-label={t("plugins.events")}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("plugins.when")}</Table.Th>
            {plugin === undefined && <Table.Th>{t("plugins.plugin")}</Table.Th>}
            <Table.Th>{t("plugins.version")}</Table.Th>
            <Table.Th>{t("plugins.change")}</Table.Th>
            <Table.Th>{t("plugins.reason")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map((event) => (
            <Table.Tr key={event.sequence}>
              <Table.Td style={{ whiteSpace: "nowrap" }}>
                {formatMoment(event.unix_milliseconds / 1000)}
              </Table.Td>
              {plugin === undefined && <Table.Td>{event.plugin || t("plugins.allPlugins")}</Table.Td>}
              <Table.Td>{event.version}</Table.Td>
              <Table.Td>
                {event.plugin === "" ? null : event.from === event.to ? (
                  <Mark color="gray" text={t(`plugins.states.${event.to}`)} />
                ) : (
                  <StateBadge state={event.to} />
                )}
              </Table.Td>
              <Table.Td style={{ overflowWrap: "anywhere" }}>{formatReason(event)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
