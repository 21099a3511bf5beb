import { Button, Code, Group, Paper, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { PluginList } from "../../api/client";
import type { Change } from "./change";
import { EventsTable } from "./EventsTable";
import { GenerationsTable } from "./GenerationsTable";
import { LoadState, Stale } from "./LoadState";
import { PluginsTable } from "./PluginsTable";
import { QuarantineNotice } from "./QuarantineNotice";
import { SandboxLayers } from "./SandboxLayers";
import { useChangeDialog } from "./useChangeDialog";
import { useEventFeed, usePlugins } from "./usePlugins";

const EVENTS_SHOWN = 20;

/** All plugins, and what is of the set as a whole. */
export function PluginsPage() {
  const { t } = useTranslation();
  const plugins = usePlugins();
  const feed = useEventFeed(plugins.data !== undefined);
  const { ask, askForPackage, notice, dialog } = useChangeDialog();
  const list = plugins.data?.list;

  return (
    <Stack maw={1200} mx="auto">
      <Group justify="space-between">
        <Title order={2} size="h4">
          {t("plugins.title")}
        </Title>
        {notice}
        <Button onClick={askForPackage} disabled={!list}>
          {t("plugins.install")}
        </Button>
      </Group>
      {!list && <LoadState error={plugins.error} onRetry={() => void plugins.refetch()} />}
      {plugins.data && plugins.isError && <Stale time={plugins.data.time} />}
      {list && (
        <>
          {list.plugins.length > 0 ? <PluginsTable plugins={list.plugins} /> : <NoPlugins />}
          <Quarantine list={list} onRelease={ask} />
          <Section title={t("plugins.generations")}>
            <GenerationsTable current={list.generation} onRollback={ask} />
          </Section>
          <Section title={t(feed.isLive ? "plugins.eventsLive" : "plugins.events")}>
            <EventsTable events={feed.events} limit={EVENTS_SHOWN} />
          </Section>
          <Section title={t("plugins.machineSandbox")}>
            <SandboxLayers layers={list.sandbox} />
          </Section>
        </>
      )}
      {dialog}
    </Stack>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div>
      <Title order={3} size="h5" mb="xs">
        {title}
      </Title>
      {children}
    </div>
  );
}

function NoPlugins() {
  const { t } = useTranslation();
  return (
    <Paper withBorder p="lg">
      <Text fw={600}>{t("plugins.empty")}</Text>
      <Text size="sm">{t("plugins.emptyHelp")}</Text>
      <Code block mt="sm" style={{ whiteSpace: "pre-wrap" }}>
        llama-gpu plugin install /path/to/plugin --allow-unsigned
      </Code>
    </Paper>
  );
}

/** Packages that must not run again; the versions that serve stand in the table above. */
function Quarantine({ list, onRelease }: { list: PluginList; onRelease: (change: Change) => void }) {
  const { t } = useTranslation();
  if (list.quarantined.length === 0) return null;
  return (
    <Section title={t("plugins.quarantine")}>
      <Stack gap="xs">
        {list.quarantined.map((one) => (
          <QuarantineNotice
            key={one.digest}
            entry={one}
            title={`${one.id} ${one.version}`}
            onRelease={onRelease}
          />
        ))}
      </Stack>
    </Section>
  );
}
