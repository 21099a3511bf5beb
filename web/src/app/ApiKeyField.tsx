import { Button, PasswordInput, Stack } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { apiKey, setApiKey, useNeedsApiKey } from "../api/apiKey";

/** Asks for the server's key once a request was refused for want of one. */
export function ApiKeyField() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const isNeeded = useNeedsApiKey();
  const [draft, setDraft] = useState(apiKey());
  if (!isNeeded) return null;
  const save = () => {
    setApiKey(draft);
    void queries.invalidateQueries();
  };
  return (
    <Stack gap={4}>
      <PasswordInput
        label={t("app.apiKey")}
        description={t("app.apiKeyHelp")}
        value={draft}
        autoComplete="off"
        onChange={(event) => setDraft(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Enter" && save()}
      />
      <Button size="xs" variant="default" onClick={save}>
        {t("app.saveKey")}
      </Button>
    </Stack>
  );
}
