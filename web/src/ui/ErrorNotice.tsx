import { Alert, Button, Code, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ApiError } from "../api/ApiError";

interface ErrorNoticeProps {
  error: unknown;
  title?: string;
  /** What else there is to say. */
  advice?: string;
  onRetry?: () => void;
}

/** What went wrong, in the server's own words and with its code. */
export function ErrorNotice({ error, title, advice, onRetry }: ErrorNoticeProps) {
  const { t } = useTranslation();
  const isOfServer = error instanceof ApiError;
  return (
    <Alert color="red" role="alert">
      <Stack gap="xs" align="flex-start">
        <Text fw={600}>{title ?? t("error.title")}</Text>
        <Text size="sm" style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
          {isOfServer ? error.message : t("error.network")}
        </Text>
        {advice && <Text size="sm">{advice}</Text>}
        <Group gap="sm">
          {isOfServer && error.code && <Code>{error.code}</Code>}
          {onRetry && (
            <Button size="xs" variant="default" onClick={onRetry}>
              {t("error.retry")}
            </Button>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}
