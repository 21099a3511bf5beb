import { Paper, Text, useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";

export interface ChartSeries {
  label: string;
  color: string;
  values: (number | null)[];
}

interface LiveChartProps {
  title: string;
  /** Said to those who cannot see the picture. */
  description: string;
  unit: string;
  /** Unix seconds, ascending, one for each value of each series. */
  times: number[];
  series: ChartSeries[];
  /** The scale reaches at least so far. */
  leastTop?: number;
  /** Seconds that the picture is wide at least. */
  leastSpan?: number;
}

const TIME_SPACE = 80; // pixels from one time to the next

const clockTime = (unixSeconds: number) =>
  new Date(unixSeconds * 1000).toLocaleTimeString(undefined, { hour12: false });

/** What is drawn: with a moment without values in front, so that few values do not fill the width. */
function dataOf(times: number[], series: ChartSeries[], leastSpan: number): uPlot.AlignedData {
  const first = (times.at(-1) ?? 0) - leastSpan;
  const isShort = leastSpan > 0 && times.length > 0 && (times[0] ?? 0) > first;
  if (!isShort) return [times, ...series.map((one) => one.values)];
  return [[first, ...times], ...series.map((one) => [null, ...one.values])];
}

/** Series over time, drawn anew as they grow. */
export function LiveChart({
  title,
  description,
  unit,
  times,
  series,
  leastTop = 1e-9,
  leastSpan = 0,
}: LiveChartProps) {
  const scheme = useComputedColorScheme("light");
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = series.map((one) => one.label + one.color).join();

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const ink = scheme === "dark" ? "#c9c9c9" : "#495057";
    const grid = { stroke: scheme === "dark" ? "#3b3b3b" : "#e9ecef", width: 1 };
    const created = new uPlot(
      {
        width: element.clientWidth || 300,
        height: 150,
        cursor: { show: false },
        scales: {
          y: { range: (_, __, max) => [0, Math.max(max || 0, leastTop) * 1.1] },
        },
        axes: [
          { stroke: ink, grid, size: 32, space: TIME_SPACE, values: (_, times) => times.map(clockTime) },
          { stroke: ink, grid, size: 56 },
        ],
        series: [
          {},
          ...series.map(({ label, color }) => ({ label, stroke: color, width: 2, points: { show: false } })),
        ],
      },
      dataOf(times, series, leastSpan),
      element,
    );
    plot.current = created;
    const observer = new ResizeObserver(() =>
      created.setSize({ width: element.clientWidth || 300, height: 150 }),
    );
    observer.observe(element);
    return () => {
      observer.disconnect();
      created.destroy();
      plot.current = null;
    };
    // Data alone must not make a new plot: the effect below feeds it.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [scheme, shape, leastTop, leastSpan]);

  useEffect(() => {
    plot.current?.setData(dataOf(times, series, leastSpan));
  }, [times, series, leastSpan]);

  return (
    <Paper withBorder p="sm">
      <Text size="sm" fw={600}>
        {title} ({unit})
      </Text>
      <Text size="xs" component="div">
        {series.map((one) => (
          <span key={one.label} style={{ marginRight: 12 }}>
            <span aria-hidden style={{ color: one.color }}>
              ▬{" "}
            </span>
            {one.label}
          </span>
        ))}
      </Text>
      <div ref={box} className="live-chart" role="img" aria-label={description} />
    </Paper>
  );
}
