import { Paper, Text } from "@mantine/core";
import type { ReactNode } from "react";

/** One figure with its name and, where it helps, what it is made of. */
export function Figure({ name, value, detail }: { name: string; value: ReactNode; detail?: ReactNode }) {
  return (
    <Paper withBorder p="sm" role="group" aria-label={name}>
      <Text size="xs" fw={600}>
        {name}
      </Text>
      <Text size="xl" fw={700} component="div">
        {value}
      </Text>
      {detail && <Text size="xs">{detail}</Text>}
    </Paper>
  );
}
