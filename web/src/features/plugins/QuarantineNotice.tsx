import { Alert, Button, Group, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { PluginList } from "../../api/client";
import type { Change } from "./change";

interface QuarantineNoticeProps {
  entry: PluginList["quarantined"][number];
  title: string;
  onRelease: (change: Change) => void;
}

/** A package that must not run again, why, and the way out. */
export function QuarantineNotice({ entry, title, onRelease }: QuarantineNoticeProps) {
  const { t } = useTranslation();
  return (
    <Alert color="grape" role="alert">
      <Group justify="space-between">
        <div>
          <Text fw={600}>{title}</Text>
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {entry.reason}
          </Text>
        </div>
        <Button
          size="xs"
          variant="default"
          onClick={() => onRelease({ action: "release", plugin: entry.id })}
        >
          {t("plugins.act.release")}
        </Button>
      </Group>
    </Alert>
  );
}
