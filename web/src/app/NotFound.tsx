import { Anchor, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

export function NotFound() {
  const { t } = useTranslation();
  return (
    <Stack>
      <Text>{t("app.notFound")}</Text>
      <Anchor href="/chat">{t("app.toChat")}</Anchor>
    </Stack>
  );
}
