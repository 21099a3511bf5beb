import { Alert, Button, CopyButton, Group, Loader, Paper, ScrollArea, Stack, Text } from "@mantine/core";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Markdown } from "../../ui/Markdown";
import type { Turn } from "./useChat";

interface ConversationProps {
  turns: Turn[];
  isAnswering: boolean;
  onRegenerate: () => void;
}

/** All turns; follows the answer while the reader is at the end. */
export function Conversation({ turns, isAnswering, onRegenerate }: ConversationProps) {
  const { t } = useTranslation();
  const viewport = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const last = turns.at(-1);

  useEffect(() => {
    if (isAtEnd.current && viewport.current) viewport.current.scrollTop = viewport.current.scrollHeight;
  }, [last?.content, last?.id, last?.end]);

  const onScroll = ({ y }: { y: number }) => {
    const box = viewport.current;
    isAtEnd.current = !box || box.scrollHeight - box.clientHeight - y < 60;
  };

  return (
    <ScrollArea
      flex={1}
      viewportRef={viewport}
      onScrollPositionChange={onScroll}
      viewportProps={{ tabIndex: 0, role: "log", "aria-label": t("chat.title"), "aria-live": "polite" }}
    >
      <Stack gap="md" pr="xs">
        {turns.length === 0 && <Text>{t("chat.empty")}</Text>}
        {turns.map((turn) => (
          <TurnView key={turn.id} turn={turn} isAnswering={isAnswering && turn === last} />
        ))}
        {last?.role === "assistant" && !isAnswering && (
          <Group gap="xs">
            <Button size="compact-xs" variant="default" onClick={onRegenerate}>
              {t("chat.regenerate")}
            </Button>
            <CopyButton value={last.content}>
              {({ copied, copy }) => (
                <Button size="compact-xs" variant="default" onClick={copy}>
                  {t(copied ? "chat.copied" : "chat.copy")}
                </Button>
              )}
            </CopyButton>
          </Group>
        )}
      </Stack>
    </ScrollArea>
  );
}

function TurnView({ turn, isAnswering }: { turn: Turn; isAnswering: boolean }) {
  const { t } = useTranslation();
  const isUser = turn.role === "user";
  return (
    <Paper withBorder={isUser} p={isUser ? "sm" : 0} ml={isUser ? "xl" : 0} data-role={turn.role}>
      <Text size="xs" fw={600} mb={4}>
        {t(isUser ? "chat.you" : "chat.assistant")}
      </Text>
      {isUser ? (
        <Text style={{ whiteSpace: "pre-wrap" }}>{turn.content}</Text>
      ) : (
        <Markdown text={turn.content} />
      )}
      {isAnswering && !turn.content && (
        <Group gap="xs">
          <Loader size="xs" aria-hidden />
          <Text size="sm">{t("chat.thinking")}</Text>
        </Group>
      )}
      {turn.end === "stopped" && <Text size="sm">{t("chat.stopped")}</Text>}
      {turn.end === "length" && <Text size="sm">{t("chat.length")}</Text>}
      {turn.end === "error" && (
        <Alert color="red" title={t("error.title")} mt="xs">
          {turn.error}
        </Alert>
      )}
      {turn.stats && (
        <Text size="xs" mt={4}>
          {t("chat.speed", {
            tokens: turn.stats.tokens,
            rate: turn.stats.tokensPerSecond.toFixed(1),
            first: Math.round(turn.stats.firstTokenMs),
          })}
        </Text>
      )}
    </Paper>
  );
}
