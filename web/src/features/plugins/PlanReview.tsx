import { Alert, Button, Checkbox, Group, List, Stack, Text } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { PluginChangePlan } from "../../api/client";
import { ErrorNotice } from "../../ui/ErrorNotice";
import { applyChange, type Change, hasEffect, needsConsent, planChange } from "./change";
import { useRefresh } from "./usePlugins";

interface PlanReviewProps {
  change: Change;
  onCancel: () => void;
  /** The change is done; `generation` is the current one then. */
  onDone: (generation: number) => void;
}

/** Shows what a change would do, and does it when it is confirmed. */
export function PlanReview({ change, onCancel, onDone }: PlanReviewProps) {
  const { t } = useTranslation();
  const plan = useQuery({
    queryKey: ["plugin-plan", change],
    queryFn: () => planChange(change),
    gcTime: 0,
  });
  if (plan.isPending) return <Text role="status">{t("plugins.planning")}</Text>;
  if (plan.isError)
    return (
      <Stack>
        <ErrorNotice
          error={plan.error}
          title={t("plugins.cannotBeDone")}
          onRetry={() => void plan.refetch()}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onCancel}>
            {t("plugins.cancel")}
          </Button>
        </Group>
      </Stack>
    );
  return <PlanConfirmation change={change} plan={plan.data} onCancel={onCancel} onDone={onDone} />;
}

function PlanConfirmation({ change, plan, onCancel, onDone }: PlanReviewProps & { plan: PluginChangePlan }) {
  const { t } = useTranslation();
  const refresh = useRefresh();
  const [isAllowed, setIsAllowed] = useState(false);
  const apply = useMutation({
    mutationFn: () => applyChange(change, isAllowed),
    onSuccess: onDone,
    onSettled: refresh,
  });
  const asksConsent = needsConsent(change, plan, apply.error);
  return (
    <Stack>
      <PlanText plan={plan} />
      {asksConsent && (
        <Checkbox
          label={t("plugins.allowUnsigned")}
          description={t("plugins.allowUnsignedHelp")}
          checked={isAllowed}
          onChange={(event) => setIsAllowed(event.currentTarget.checked)}
        />
      )}
      {apply.isError && <ErrorNotice error={apply.error} title={t("plugins.changeFailed")} />}
      {apply.isPending && <Text role="status">{t("plugins.changing")}</Text>}
      <Group justify="flex-end">
        <Button variant="default" onClick={onCancel}>
          {t(apply.isPending ? "plugins.close" : "plugins.cancel")}
        </Button>
        <Button
          data-autofocus
          {...(change.action === "remove" && { color: "red.9" })}
          loading={apply.isPending}
          disabled={!hasEffect(change, plan) || (asksConsent && !isAllowed)}
          onClick={() => apply.mutate()}
        >
          {t(`plugins.act.${change.action}`)}
        </Button>
      </Group>
    </Stack>
  );
}

function PlanText({ plan }: { plan: PluginChangePlan }) {
  const { t } = useTranslation();
  return (
    <>
      <section aria-label={t("plugins.steps")}>
        <Text fw={600}>{t("plugins.steps")}</Text>
        {plan.steps.length === 0 && <Text size="sm">{t("plugins.noSteps")}</Text>}
        <List type="ordered" size="sm">
          {plan.steps.map((step, index) => (
            <List.Item key={index}>
              {step.action} <strong>{step.plugin}</strong>{" "}
              {step.from_version && step.to_version && step.from_version !== step.to_version
                ? t("plugins.fromTo", { from: step.from_version, to: step.to_version })
                : (step.to_version ?? step.from_version)}
            </List.Item>
          ))}
        </List>
      </section>
      <section aria-label={t("plugins.newPermissions")}>
        <Text fw={600}>{t("plugins.newPermissions")}</Text>
        {plan.new_permissions.length === 0 && <Text size="sm">{t("plugins.noNewPermissions")}</Text>}
        <List size="sm" style={{ overflowWrap: "anywhere" }}>
          {plan.new_permissions.map((permission) => (
            <List.Item key={permission}>{permission}</List.Item>
          ))}
        </List>
      </section>
      {plan.warnings.length > 0 && (
        <Alert color="orange" role="note" aria-label={t("plugins.warnings")}>
          <Text fw={600}>{t("plugins.warnings")}</Text>
          <List size="sm">
            {plan.warnings.map((warning) => (
              <List.Item key={warning}>{warning}</List.Item>
            ))}
          </List>
        </Alert>
      )}
    </>
  );
}
