import { Code, List, Paper, SimpleGrid, Table, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Plugin } from "../../api/client";
import { formatBytes } from "../../ui/format";
import { formatMoment, sortedEntries } from "./figures";
import { SandboxLayers } from "./SandboxLayers";

/** Metadata, permissions, sandbox and limits. */
export function Details({ plugin }: { plugin: Plugin }) {
  const { t } = useTranslation();
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
      <Card title={t("plugins.package")}>
        <Metadata plugin={plugin} />
      </Card>
      <Card title={t("plugins.granted")}>
        <Permissions plugin={plugin} />
      </Card>
      <Card title={t("plugins.sandbox")}>
        <SandboxLayers layers={plugin.sandbox} />
      </Card>
      {plugin.manifest && (
        <Card title={t("plugins.limits")}>
          <Limits limits={plugin.manifest.limits} />
        </Card>
      )}
    </SimpleGrid>
  );
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Paper withBorder p="sm">
      <Title order={3} size="h6" mb="xs">
        {title}
      </Title>
      {children}
    </Paper>
  );
}

function Rows({ label, rows }: { label: string; rows: [string, ReactNode][] }) {
  return (
    <Table variant="vertical" layout="fixed" aria-label={label} withRowBorders={false} verticalSpacing={4}>
      <Table.Tbody>
        {rows.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th scope="row" w="45%">
              {name}
            </Table.Th>
            <Table.Td style={{ overflowWrap: "anywhere" }}>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function Metadata({ plugin }: { plugin: Plugin }) {
  const { t } = useTranslation();
  const { manifest } = plugin;
  const none = t("plugins.none");
  const ranges = (all: Record<string, string>) =>
    sortedEntries(all)
      .map(([id, range]) => `${id} ${range}`)
      .join(", ") || none;
  const about: [string, ReactNode][] = manifest
    ? [
        [t("plugins.capabilities"), manifest.capabilities.join(", ") || none],
        [t("plugins.order"), manifest.order],
        [t("plugins.failurePolicy"), t(`plugins.policies.${manifest.failure_policy}`)],
        [t("plugins.license"), manifest.license || none],
        [
          t("plugins.hostApi"),
          t("plugins.fromTo", { from: manifest.host_api_min, to: manifest.host_api_max }),
        ],
        [t("plugins.testedWith"), manifest.tested_with.join(", ") || none],
        [t("plugins.dependencies"), ranges(manifest.dependencies)],
        [t("plugins.conflicts"), ranges(manifest.conflicts)],
        [t("plugins.command"), <Code key="command">{manifest.command.join(" ")}</Code>],
      ]
    : [[t("plugins.manifest"), t("plugins.noManifest")]];
  return (
    <Rows
      label={t("plugins.package")}
      rows={[
        [t("plugins.version"), plugin.version],
        [t("plugins.signature"), t(plugin.is_signed ? "plugins.signed" : "plugins.unsigned")],
        [t("plugins.inStateSince"), formatMoment(plugin.since_unix_milliseconds / 1000)],
        [t("plugins.process"), plugin.pid ?? none],
        ...about,
        [t("plugins.digest"), <Code key="digest">{plugin.digest}</Code>],
      ]}
    />
  );
}

function Permissions({ plugin }: { plugin: Plugin }) {
  const { t } = useTranslation();
  const { read, write, network } = plugin.granted;
  const sentences = [
    ...read.map((path) => t("plugins.mayRead", { path })),
    ...write.map((path) => t("plugins.mayWrite", { path })),
    ...(network ? [t("plugins.mayNetwork")] : []),
  ];
  return (
    <>
      <Text size="sm">{t(sentences.length > 0 ? "plugins.ownFolders" : "plugins.onlyOwnFolders")}</Text>
      <List size="sm" style={{ overflowWrap: "anywhere" }}>
        {sentences.map((sentence) => (
          <List.Item key={sentence}>{sentence}</List.Item>
        ))}
      </List>
    </>
  );
}

function Limits({ limits }: { limits: NonNullable<Plugin["manifest"]>["limits"] }) {
  const { t } = useTranslation();
  const seconds = (milliseconds: number) => t("plugins.seconds", { count: milliseconds / 1000 });
  return (
    <Rows
      label={t("plugins.limits")}
      rows={[
        [t("plugins.memory"), formatBytes(limits.memory_bytes)],
        [t("plugins.fileSize"), formatBytes(limits.file_size_bytes)],
        [t("plugins.openFiles"), limits.open_files],
        [t("plugins.processes"), limits.processes],
        [t("plugins.startTimeout"), seconds(limits.start_timeout_ms)],
        [t("plugins.callTimeout"), seconds(limits.call_timeout_ms)],
        [t("plugins.concurrentCalls"), limits.concurrent_calls],
      ]}
    />
  );
}
