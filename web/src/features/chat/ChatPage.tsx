import { Button, Group, Select, Stack, Title } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { getModels } from "../../api/client";
import { Composer } from "./Composer";
import { Conversation } from "./Conversation";
import { ParametersPanel } from "./ParametersPanel";
import { type ChatSettings, useChat } from "./useChat";

const DEFAULTS: ChatSettings = {
  model: "",
  system: "",
  temperature: 0.7,
  top_p: 0.95,
  top_k: 0,
  max_tokens: null,
  seed: null,
};

export function ChatPage() {
  const { t } = useTranslation();
  const models = useQuery({ queryKey: ["models"], queryFn: getModels, refetchInterval: 5000 });
  const [stored, setStored] = useLocalStorage<ChatSettings>({
    key: "llama-gpu.chat",
    defaultValue: DEFAULTS,
  });
  const chat = useChat();

  const names = models.data?.map((model) => model.id) ?? [];
  const settings = { ...DEFAULTS, ...stored };
  if (!names.includes(settings.model)) settings.model = names[0] ?? "";
  const change = (news: Partial<ChatSettings>) => setStored({ ...settings, ...news });

  return (
    <Stack h="calc(100dvh - 88px)" maw={900} mx="auto" gap="sm">
      <Group justify="space-between" align="end">
        <Title order={2} size="h4">
          {t("chat.title")}
        </Title>
        <Group gap="xs" align="end">
          <Select
            aria-label={t("chat.model")}
            data={names}
            value={settings.model || null}
            placeholder={t("chat.noModel")}
            onChange={(model) => change({ model: model ?? "" })}
            allowDeselect={false}
            w={230}
          />
          <Button variant="default" onClick={chat.clear} disabled={chat.turns.length === 0}>
            {t("chat.clear")}
          </Button>
        </Group>
      </Group>
      <ParametersPanel settings={settings} onChange={change} />
      <Conversation
        turns={chat.turns}
        isAnswering={chat.isAnswering}
        onRegenerate={() => void chat.regenerate(settings)}
      />
      <Composer
        isAnswering={chat.isAnswering}
        isDisabled={!settings.model}
        onSend={(text) => void chat.send(text, settings)}
        onStop={chat.stop}
      />
    </Stack>
  );
}
