import { Badge, Table } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Worker } from "../../api/client";
import { formatDuration } from "../../ui/format";

const STATE_COLORS: Record<string, string> = { ready: "green", failed: "red", backoff: "orange" };

/** One row for each engine worker: its state is the model's. `now` is in unix seconds. */
export function WorkersTable({ workers, now }: { workers: Worker[]; now: number }) {
  const { t } = useTranslation();
  return (
    <Table.ScrollContainer
      minWidth={480}
      type="native"
      tabIndex={0}
      role="region"
      aria-label={t("overview.models")}
    >
      <Table aria-label={t("overview.models")}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("overview.model")}</Table.Th>
            <Table.Th>{t("overview.state")}</Table.Th>
            <Table.Th>{t("overview.since")}</Table.Th>
            <Table.Th>{t("overview.process")}</Table.Th>
            <Table.Th>{t("overview.restarts")}</Table.Th>
            <Table.Th>{t("overview.lastExit")}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {workers.map((worker) => (
            <Table.Tr key={worker.id}>
              <Table.Td>{worker.model}</Table.Td>
              <Table.Td>
                <Badge
                  color={STATE_COLORS[worker.state] ?? "gray"}
                  variant="light"
                  tt="none"
                  c="var(--mantine-color-text)"
                >
                  {worker.state}
                </Badge>
              </Table.Td>
              <Table.Td>{formatDuration(now - worker.since)}</Table.Td>
              <Table.Td>{worker.pid || "-"}</Table.Td>
              <Table.Td>{worker.restarts}</Table.Td>
              <Table.Td title={worker.last_exit?.log_tail}>
                {worker.last_exit?.kind ?? t("overview.none")}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
