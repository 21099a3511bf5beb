import { SimpleGrid, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Plugin, PluginEvent } from "../../api/client";
import { Figure } from "../../ui/Figure";
import { formatBytes, formatDuration } from "../../ui/format";
import { type ChartSeries, LiveChart } from "../../ui/LiveChart";
import { formatLatency } from "./figures";
import { HISTORY_SECONDS, type Sample } from "./history";
import { StateTimeline } from "./StateTimeline";
import { healthOf } from "./states";

const BLUE = "#4c6ef5";
const ORANGE = "#e8590c";
const LEAST_SPAN_SECONDS = 60;
const MEBIBYTE = 1024 ** 2;

interface HealthPictureProps {
  plugin: Plugin;
  samples: Sample[];
  events: PluginEvent[];
  /** Unix seconds of the last look. */
  now: number;
}

/** How a plugin does: figures, states over time, and what its calls cost. */
export function HealthPicture({ plugin, samples, events, now }: HealthPictureProps) {
  const { t } = useTranslation();
  return (
    <Stack>
      <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm">
        <Figure
          name={t("plugins.health")}
          value={t(`plugins.healths.${healthOf(plugin)}`)}
          detail={t("plugins.forTime", {
            state: t(`plugins.states.${plugin.state}`),
            time: formatDuration(now - plugin.since_unix_milliseconds / 1000),
          })}
        />
        <Figure
          name={t("plugins.calls")}
          value={plugin.calls}
          detail={t("plugins.rejected", { number: plugin.rejections })}
        />
        <Figure name={t("plugins.failures")} value={plugin.failures} detail={t("plugins.ofCalls")} />
        <Figure
          name={t("plugins.p95")}
          value={formatLatency(plugin.p95_milliseconds)}
          detail={t("plugins.medianIs", { median: formatLatency(plugin.p50_milliseconds) })}
        />
        <Figure
          name={t("plugins.memory")}
          value={formatBytes(plugin.memory_bytes)}
          detail={t("plugins.resident")}
        />
        <Figure name={t("plugins.restarts")} value={plugin.restarts} detail={t("plugins.ofProcess")} />
      </SimpleGrid>
      <StateTimeline events={events} plugin={plugin} now={now} />
      <Charts samples={samples} />
    </Stack>
  );
}

function Charts({ samples }: { samples: Sample[] }) {
  const { t } = useTranslation();
  const line = (label: string, color: string, pick: (sample: Sample) => number | null): ChartSeries => ({
    label: t(label),
    color,
    values: samples.map(pick),
  });
  const charts = [
    {
      title: t("plugins.calls"),
      unit: t("plugins.perSecond"),
      leastTop: 0.1,
      series: [
        line("plugins.calls", BLUE, (sample) => sample.callsPerSecond),
        line("plugins.failures", ORANGE, (sample) => sample.failuresPerSecond),
      ],
    },
    {
      title: t("plugins.latency"),
      unit: t("plugins.milliseconds"),
      leastTop: 0.1,
      series: [
        line("plugins.median", BLUE, (sample) => sample.p50),
        line("plugins.p95Short", ORANGE, (sample) => sample.p95),
      ],
    },
    {
      title: t("plugins.memory"),
      unit: "MiB",
      leastTop: 1,
      series: [line("plugins.resident", BLUE, (sample) => sample.memoryBytes / MEBIBYTE)],
    },
    {
      title: t("plugins.restarts"),
      unit: t("plugins.soFar"),
      leastTop: 1,
      series: [line("plugins.restarts", BLUE, (sample) => sample.restarts)],
    },
  ];
  const times = samples.map((sample) => sample.time);
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
      {charts.map((chart) => (
        <LiveChart
          key={chart.title}
          times={times}
          leastSpan={LEAST_SPAN_SECONDS}
          {...chart}
          description={t("plugins.chartLabel", {
            title: chart.title,
            minutes: HISTORY_SECONDS / 60,
            now: chart.series
              .map((one) => `${one.label} ${one.values.at(-1)?.toFixed(1) ?? t("plugins.none")}`)
              .join(", "),
          })}
        />
      ))}
    </SimpleGrid>
  );
}
