import { Alert, Anchor, Button, Group, Stack, Tabs, Text, Title } from "@mantine/core";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Plugin, PluginEvent, PluginList } from "../../api/client";
import type { Change } from "./change";
import { ConfigEditor } from "./ConfigEditor";
import { Details } from "./Details";
import { failureBeside } from "./eventFeed";
import { EventsTable } from "./EventsTable";
import { formatMoment, formatReason } from "./figures";
import { GenerationsTable } from "./GenerationsTable";
import { HealthPicture } from "./HealthPicture";
import { LoadState, Stale } from "./LoadState";
import { LogTail } from "./LogTail";
import { QuarantineNotice } from "./QuarantineNotice";
import { healthOf, PluginMarks, StateBadge } from "./states";
import { useChangeDialog } from "./useChangeDialog";
import { useEventFeed, usePlugins } from "./usePlugins";

const EVENTS_SHOWN = 200;
const TABS = ["health", "config", "details", "log", "events", "generations"] as const;

/** One plugin: how it does, what it is, and every act on it. */
export function PluginPage() {
  const { t } = useTranslation();
  const params: { publisher?: string; name?: string } = useParams({ strict: false });
  const id = `${params.publisher ?? ""}/${params.name ?? ""}`;
  const plugins = usePlugins();
  const feed = useEventFeed(plugins.data !== undefined);
  const { ask, askForPackage, notice, dialog } = useChangeDialog();
  const [tab, setTab] = useState<string | null>("health");
  const plugin = plugins.data?.list.plugins.find((one) => one.id === id);

  return (
    <Stack maw={1200} mx="auto">
      <Group justify="space-between">
        <Anchor component={Link} to="/plugins" size="sm">
          {t("plugins.back")}
        </Anchor>
        {notice}
      </Group>
      {!plugins.data && <LoadState error={plugins.error} onRetry={() => void plugins.refetch()} />}
      {plugins.data && plugins.isError && <Stale time={plugins.data.time} />}
      {plugins.data && !plugin && <Text>{t("plugins.unknown", { plugin: id })}</Text>}
      {plugins.data && plugin && (
        <>
          <Heading plugin={plugin} />
          <Troubles plugin={plugin} list={plugins.data.list} events={feed.events} onRelease={ask} />
          <Actions
            plugin={plugin}
            onAsk={ask}
            onUpdate={askForPackage}
            onConfigure={() => setTab("config")}
          />
          <Tabs value={tab} onChange={setTab} keepMounted={false}>
            <Tabs.List aria-label={plugin.id}>
              {TABS.map((name) => (
                <Tabs.Tab key={name} value={name}>
                  {t(`plugins.tabs.${name}`)}
                </Tabs.Tab>
              ))}
            </Tabs.List>
            <Tabs.Panel value="health" pt="md">
              <HealthPicture
                plugin={plugin}
                samples={plugins.data.histories[id] ?? []}
                events={feed.events}
                now={plugins.data.time}
              />
            </Tabs.Panel>
            <Tabs.Panel value="config" pt="md">
              <ConfigEditor
                key={plugin.digest + JSON.stringify(plugin.config)}
                plugin={plugin}
                onSave={(config) => ask({ action: "configure", plugin: id, config })}
              />
            </Tabs.Panel>
            <Tabs.Panel value="details" pt="md">
              <Details plugin={plugin} />
            </Tabs.Panel>
            <Tabs.Panel value="log" pt="md">
              <LogTail lines={plugin.log_tail} />
            </Tabs.Panel>
            <Tabs.Panel value="events" pt="md">
              <EventsTable events={feed.events} plugin={id} limit={EVENTS_SHOWN} />
            </Tabs.Panel>
            <Tabs.Panel value="generations" pt="md">
              <GenerationsTable current={plugins.data.list.generation} plugin={id} onRollback={ask} />
            </Tabs.Panel>
          </Tabs>
        </>
      )}
      {dialog}
    </Stack>
  );
}

function Heading({ plugin }: { plugin: Plugin }) {
  return (
    <Stack gap={4}>
      <Group gap="xs">
        <Title order={2} size="h4">
          {plugin.id}
        </Title>
        <Text>{plugin.version}</Text>
        <StateBadge state={plugin.state} />
        <PluginMarks plugin={plugin} />
      </Group>
      {plugin.manifest?.summary && <Text size="sm">{plugin.manifest.summary}</Text>}
    </Stack>
  );
}

interface TroublesProps {
  plugin: Plugin;
  list: PluginList;
  events: PluginEvent[];
  onRelease: (change: Change) => void;
}

/** What is wrong with it, with a version that should have taken its place, and what is in quarantine. */
function Troubles({ plugin, list, events, onRelease }: TroublesProps) {
  const { t } = useTranslation();
  const failure = failureBeside(events, plugin.id, plugin.version);
  const quarantined = list.quarantined.filter((one) => one.id === plugin.id);
  const wasRolledBack = plugin.reason_code === "automatic_rollback";
  const isLost = failure !== null && !quarantined.some((one) => one.version === failure.version);
  return (
    <>
      {plugin.reason && (healthOf(plugin) === "unwell" || wasRolledBack) && (
        <Alert color={plugin.state === "active" ? "orange" : "red"} role="alert">
          <Text size="sm" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
            {formatReason(plugin)}
          </Text>
        </Alert>
      )}
      {isLost && (
        <Alert color="orange" role="alert">
          <Text fw={600}>
            {t("plugins.updateFailed", { failed: failure.version, serves: plugin.version })}
          </Text>
          <Text size="sm" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
            {formatReason(failure)}, {formatMoment(failure.unix_milliseconds / 1000)}
          </Text>
        </Alert>
      )}
      {quarantined.map((one) => (
        <QuarantineNotice
          key={one.digest}
          entry={one}
          title={t("plugins.versionQuarantined", { version: one.version })}
          onRelease={onRelease}
        />
      ))}
    </>
  );
}

interface ActionsProps {
  plugin: Plugin;
  onAsk: (change: Change) => void;
  onUpdate: () => void;
  onConfigure: () => void;
}

function Actions({ plugin, onAsk, onUpdate, onConfigure }: ActionsProps) {
  const { t } = useTranslation();
  const act = (action: "enable" | "disable" | "reload" | "remove") => (
    <Button variant="default" size="sm" onClick={() => onAsk({ action, plugin: plugin.id })}>
      {t(`plugins.act.${action}`)}
    </Button>
  );
  return (
    <Group gap="xs" role="group" aria-label={t("plugins.actions")}>
      {plugin.is_enabled ? act("disable") : act("enable")}
      {plugin.is_enabled && act("reload")}
      <Button variant="default" size="sm" onClick={onConfigure}>
        {t("plugins.act.configure")}
      </Button>
      <Button variant="default" size="sm" onClick={onUpdate}>
        {t("plugins.update")}
      </Button>
      {act("remove")}
    </Group>
  );
}
