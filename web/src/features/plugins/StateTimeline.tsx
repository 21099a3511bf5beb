import { Box, Group, Paper, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Plugin, PluginEvent, PluginState } from "../../api/client";
import { HISTORY_SECONDS } from "./history";
import { type Lane, lanesOf, placeOf, type Stretch } from "./lanes";
import { STATE_COLORS } from "./states";

const NARROWEST = 0.4; // percent: a state that was short must still be seen
const LANES_SHOWN = 6;

const ink = (state: PluginState) => `var(--mantine-color-${STATE_COLORS[state]}-6)`;

const isFailure = (state: PluginState) => state === "failed" || state === "quarantined";

interface StateTimelineProps {
  events: PluginEvent[];
  plugin: Plugin;
  now: number;
}

/** The states of the last minutes, one bar for each process: at a swap there are two. */
export function StateTimeline({ events, plugin, now }: StateTimelineProps) {
  const { t } = useTranslation();
  const since = now - HISTORY_SECONDS;
  const known = lanesOf(events, plugin.id, since).slice(-LANES_SHOWN);
  const lanes = known.length > 0 ? known : [laneOfNow(plugin)];
  const states = [
    ...new Set(lanes.flatMap((lane) => visible(lane.stretches, since, now).map((one) => one.state))),
  ];
  const minutes = HISTORY_SECONDS / 60;
  return (
    <Paper withBorder p="sm">
      <Text size="sm" fw={600}>
        {t("plugins.timeline", { minutes })}
      </Text>
      <Group gap="sm" mb="xs">
        {states.map((state) => (
          <Text key={state} size="xs">
            <span aria-hidden style={{ color: ink(state) }}>
              ■{" "}
            </span>
            {t(`plugins.states.${state}`)}
          </Text>
        ))}
      </Group>
      <div
        role="img"
        aria-label={t("plugins.timelineLabel", {
          minutes,
          state: t(`plugins.states.${plugin.state}`),
          version: plugin.version,
        })}
      >
        {lanes.map((lane, index) => (
          <Group key={index} gap="xs" wrap="nowrap" mt={4}>
            <Text size="xs" w={64} truncate>
              {lane.version}
            </Text>
            <Box pos="relative" h={16} flex={1} bg="var(--mantine-color-default-hover)">
              {visible(lane.stretches, since, now).map((stretch, order) => (
                <Bar key={order} stretch={stretch} since={since} now={now} />
              ))}
            </Box>
          </Group>
        ))}
      </div>
    </Paper>
  );
}

/** Where no events are known, as before the first connection. */
const laneOfNow = (plugin: Plugin): Lane => ({
  version: plugin.version,
  stretches: [{ state: plugin.state, start: plugin.since_unix_milliseconds / 1000, end: null }],
});

const visible = (stretches: Stretch[], since: number, now: number) =>
  stretches.filter((stretch) => placeOf(stretch, since, now) !== null);

function Bar({ stretch, since, now }: { stretch: Stretch; since: number; now: number }) {
  const place = placeOf(stretch, since, now);
  if (!place) return null;
  return (
    <Box
      pos="absolute"
      h="100%"
      bg={ink(stretch.state)}
      left={`${100 * place.left}%`}
      style={{ zIndex: isFailure(stretch.state) ? 1 : 0 }} // however short, it must not be covered
      w={`${Math.max(100 * place.width, NARROWEST)}%`}
    />
  );
}
