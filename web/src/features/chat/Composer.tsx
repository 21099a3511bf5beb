import { Button, Group, Textarea } from "@mantine/core";
import { type KeyboardEvent, useState } from "react";
import { useTranslation } from "react-i18next";

interface ComposerProps {
  isAnswering: boolean;
  isDisabled: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
}

/** The line at the bottom: Enter sends, Shift+Enter starts a line, Escape stops an answer. */
export function Composer({ isAnswering, isDisabled, onSend, onStop }: ComposerProps) {
  const { t } = useTranslation();
  const [text, setText] = useState("");
  const canSend = !isAnswering && !isDisabled && text.trim() !== "";

  const send = () => {
    if (!canSend) return;
    onSend(text);
    setText("");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape" && isAnswering) {
      onStop();
    }
  };

  return (
    <Group align="end" gap="xs" wrap="nowrap">
      <Textarea
        flex={1}
        autosize
        minRows={1}
        maxRows={8}
        autoFocus
        aria-label={t("chat.message")}
        placeholder={t("chat.placeholder")}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {isAnswering ? (
        <Button color="red" onClick={onStop}>
          {t("chat.stop")}
        </Button>
      ) : (
        <Button onClick={send} disabled={!canSend}>
          {t("chat.send")}
        </Button>
      )}
    </Group>
  );
}
