import { Alert, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ApiError } from "../../api/ApiError";
import { ErrorNotice } from "../../ui/ErrorNotice";

interface LoadStateProps {
  error: unknown;
  onRetry: () => void;
}

const TITLES: Record<number, string> = {
  401: "plugins.needsKey",
  403: "plugins.forbidden",
  404: "plugins.off",
};

/** Instead of a page that has nothing to show yet, or may not. */
export function LoadState({ error, onRetry }: LoadStateProps) {
  const { t } = useTranslation();
  if (!error) return <Text role="status">{t("plugins.loading")}</Text>;
  const title = error instanceof ApiError ? TITLES[error.status] : undefined;
  const isKeyWanted = error instanceof ApiError && error.status === 401;
  return (
    <ErrorNotice
      error={error}
      {...(title && { title: t(title) })}
      {...(isKeyWanted && { advice: t("plugins.keyAdvice") })}
      onRetry={onRetry}
    />
  );
}

/** Above figures that are not of now. */
export function Stale({ time }: { time: number }) {
  const { t } = useTranslation();
  return (
    <Alert color="red" role="alert">
      {t("plugins.unreachable", { when: new Date(time * 1000).toLocaleTimeString() })}
    </Alert>
  );
}
