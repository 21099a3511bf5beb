import { Button, Collapse, NumberInput, SimpleGrid, Textarea } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import type { ChatSettings } from "./useChat";

interface ParametersPanelProps {
  settings: ChatSettings;
  onChange: (news: Partial<ChatSettings>) => void;
}

/** What shapes the next answer, folded away until asked for. */
export function ParametersPanel({ settings, onChange }: ParametersPanelProps) {
  const { t } = useTranslation();
  const [isOpen, panel] = useDisclosure(false);
  const optional = (value: string | number) => (typeof value === "number" ? value : null);
  const number = (value: string | number, fallback: number) => (typeof value === "number" ? value : fallback);
  return (
    <div>
      <Button variant="subtle" size="compact-sm" onClick={panel.toggle} aria-expanded={isOpen}>
        {t("chat.parameters")}
      </Button>
      <Collapse expanded={isOpen}>
        <Textarea
          label={t("chat.system")}
          autosize
          minRows={1}
          maxRows={4}
          value={settings.system}
          onChange={(event) => onChange({ system: event.currentTarget.value })}
        />
        <SimpleGrid cols={{ base: 2, sm: 5 }} spacing="xs" mt="xs">
          <NumberInput
            label={t("chat.temperature")}
            min={0}
            max={2}
            step={0.1}
            value={settings.temperature}
            onChange={(value) => onChange({ temperature: number(value, 1) })}
          />
          <NumberInput
            label={t("chat.topP")}
            min={0}
            max={1}
            step={0.05}
            value={settings.top_p}
            onChange={(value) => onChange({ top_p: number(value, 1) })}
          />
          <NumberInput
            label={t("chat.topK")}
            min={0}
            allowDecimal={false}
            value={settings.top_k}
            onChange={(value) => onChange({ top_k: number(value, 0) })}
          />
          <NumberInput
            label={t("chat.maxTokens")}
            placeholder={t("chat.unlimited")}
            min={1}
            allowDecimal={false}
            value={settings.max_tokens ?? ""}
            onChange={(value) => onChange({ max_tokens: optional(value) })}
          />
          <NumberInput
            label={t("chat.seed")}
            placeholder={t("chat.random")}
            allowDecimal={false}
            value={settings.seed ?? ""}
            onChange={(value) => onChange({ seed: optional(value) })}
          />
        </SimpleGrid>
      </Collapse>
    </div>
  );
}
