import { Code, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** The last lines that a plugin wrote. */
export function LogTail({ lines }: { lines: string[] }) {
  const { t } = useTranslation();
  if (lines.length === 0) return <Text size="sm">{t("plugins.noLog")}</Text>;
  return (
    <Code
      block
      tabIndex={0}
      role="region"
      aria-label={t("plugins.tabs.log")}
      mah="60vh"
      style={{ overflow: "auto" }}
    >
      {lines.join("\n")}
    </Code>
  );
}
