import { Button, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Change } from "./change";
import { PlanReview } from "./PlanReview";

/** A change to confirm, or a package to be named first. */
type Wish = Change | { action: "choose" };

interface ChangeDialog {
  /** Shows the plan of a change, and asks. */
  ask: (change: Change) => void;
  /** Asks for a package, then as `ask` does. */
  askForPackage: () => void;
  /** Says, for all to hear, what was done last. */
  notice: ReactNode;
  dialog: ReactNode;
}

/** The way to every change: its plan, a consent, its outcome. */
export function useChangeDialog(): ChangeDialog {
  const { t } = useTranslation();
  const [wish, setWish] = useState<Wish | null>(null);
  const [done, setDone] = useState("");
  const close = () => setWish(null);
  const title = wish && t(`plugins.ask.${wish.action}`, { ...wish });
  const finish = (shown: Wish, change: Change, generation: number) => {
    setWish((now) => (now === shown ? null : now)); // a later wish stays open
    setDone(t("plugins.done", { act: t(`plugins.act.${change.action}`), generation }));
  };
  return {
    ask: setWish,
    askForPackage: () => setWish({ action: "choose" }),
    notice: (
      <Text size="sm" role="status" aria-live="polite">
        {done}
      </Text>
    ),
    dialog: (
      <Modal
        opened={wish !== null}
        onClose={close}
        title={title}
        size="lg"
        attributes={{ header: { role: "none" } }} // the page has its banner
        closeButtonProps={{ "aria-label": t("plugins.close") }}
      >
        {wish?.action === "choose" && (
          <PackageChoice
            onCancel={close}
            onDone={(source, n) => finish(wish, { action: "install", source }, n)}
          />
        )}
        {wish && wish.action !== "choose" && (
          <PlanReview
            change={wish}
            onCancel={close}
            onDone={(generation) => finish(wish, wish, generation)}
          />
        )}
      </Modal>
    ),
  };
}

interface PackageChoiceProps {
  onCancel: () => void;
  onDone: (source: string, generation: number) => void;
}

function PackageChoice({ onCancel, onDone }: PackageChoiceProps) {
  const { t } = useTranslation();
  const [path, setPath] = useState("");
  const [source, setSource] = useState("");
  const typed = path.trim();
  const isWrong = typed !== "" && !typed.startsWith("/");
  return (
    <Stack>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (typed !== "" && !isWrong) setSource(typed);
        }}
      >
        <Stack gap="sm" align="flex-start">
          <TextInput
            data-autofocus
            w="100%"
            label={t("plugins.folder")}
            description={t("plugins.folderHelp")}
            error={isWrong && t("plugins.notAbsolute")}
            value={path}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => {
              setPath(event.currentTarget.value);
              setSource("");
            }}
          />
          {source === "" && (
            <Button type="submit" disabled={typed === "" || isWrong}>
              {t("plugins.showPlan")}
            </Button>
          )}
        </Stack>
      </form>
      {source !== "" && (
        <PlanReview
          key={source}
          change={{ action: "install", source }}
          onCancel={onCancel}
          onDone={(generation) => onDone(source, generation)}
        />
      )}
    </Stack>
  );
}
