import { Alert, SimpleGrid, Stack, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";
import { getWorkers } from "../../api/client";
import { Figure } from "../../ui/Figure";
import { formatBytes } from "../../ui/format";
import { type ChartSeries, LiveChart } from "../../ui/LiveChart";
import { HISTORY_SECONDS, type Moment } from "./history";
import { useHistory } from "./useHistory";
import { WorkersTable } from "./WorkersTable";

const BLUE = "#4c6ef5";
const ORANGE = "#e8590c";

/** The value shown beside a name: the newest one that is known. */
const newest = (history: Moment[], pick: (moment: Moment) => number | null): number | null =>
  history.map(pick).findLast((value) => value !== null) ?? null;

export function OverviewPage() {
  const { t } = useTranslation();
  const workers = useQuery({ queryKey: ["workers"], queryFn: getWorkers, refetchInterval: 1000 });
  const recording = useHistory();
  const history = recording.data?.history ?? [];
  const now = history.at(-1);
  const milliseconds = (value: number | null) =>
    value === null ? "-" : `${value.toFixed(1)} ${t("overview.milliseconds")}`;

  return (
    <Stack maw={1200} mx="auto">
      <Title order={2} size="h4">
        {t("overview.title")}
      </Title>
      {recording.isError && (
        <Alert color="red" role="alert">
          {t("overview.unreachable", { when: now ? new Date(now.time * 1000).toLocaleTimeString() : "-" })}
        </Alert>
      )}
      <WorkersTable workers={workers.data ?? []} now={workers.dataUpdatedAt / 1000} />
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm">
        <Figure
          name={t("overview.throughput")}
          value={now?.generatedPerSecond.toFixed(1) ?? "-"}
          detail={t("overview.tokensPerSecond")}
        />
        <Figure name={t("overview.running")} value={now?.running ?? "-"} detail={t("overview.requests")} />
        <Figure name={t("overview.waiting")} value={now?.waiting ?? "-"} detail={t("overview.requests")} />
        <Figure
          name={t("overview.firstToken")}
          value={milliseconds(newest(history, (moment) => moment.firstTokenMs.median))}
          detail={t("overview.median")}
        />
        <Figure
          name={t("overview.kvCache")}
          value={now && now.kvTotal > 0 ? `${((100 * now.kvUsed) / now.kvTotal).toFixed(1)} %` : "-"}
          detail={now && t("overview.kvUse", { used: now.kvUsed, total: now.kvTotal })}
        />
        <Figure
          name={t("overview.memory")}
          value={now ? formatBytes(now.memoryBytes) : "-"}
          detail={t("overview.workerMemory")}
        />
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
        {charts(history, t).map((chart) => (
          <LiveChart key={chart.title} times={history.map((moment) => moment.time)} {...chart} />
        ))}
      </SimpleGrid>
    </Stack>
  );
}

function charts(history: Moment[], t: TFunction) {
  const line = (label: string, color: string, pick: (moment: Moment) => number | null): ChartSeries => ({
    label,
    color,
    values: history.map(pick),
  });
  const chart = (title: string, unit: string, series: ChartSeries[]) => ({
    title,
    unit,
    series,
    description: t("overview.chartLabel", {
      title,
      minutes: HISTORY_SECONDS / 60,
      now: series.map((one) => `${one.label} ${one.values.at(-1)?.toFixed(1) ?? "-"}`).join(", "),
    }),
  });
  return [
    chart(t("overview.throughput"), t("overview.tokensPerSecond"), [
      line(t("overview.generated"), BLUE, (moment) => moment.generatedPerSecond),
      line(t("overview.prompt"), ORANGE, (moment) => moment.promptPerSecond),
    ]),
    chart(t("overview.sequences"), t("overview.requests"), [
      line(t("overview.running"), BLUE, (moment) => moment.running),
      line(t("overview.waiting"), ORANGE, (moment) => moment.waiting),
    ]),
    chart(t("overview.firstToken"), t("overview.milliseconds"), [
      line(t("overview.median"), BLUE, (moment) => moment.firstTokenMs.median),
      line(t("overview.p95"), ORANGE, (moment) => moment.firstTokenMs.p95),
    ]),
    chart(t("overview.interToken"), t("overview.milliseconds"), [
      line(t("overview.median"), BLUE, (moment) => moment.interTokenMs.median),
      line(t("overview.p95"), ORANGE, (moment) => moment.interTokenMs.p95),
    ]),
  ];
}
