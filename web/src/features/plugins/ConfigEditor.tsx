import { Button, Checkbox, Group, NativeSelect, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Plugin } from "../../api/client";
import {
  type Config,
  type Drafts,
  draftsOf,
  type Field,
  fieldsOf,
  type Problem,
  readConfigText,
  readDrafts,
} from "./configForm";

interface ConfigEditorProps {
  plugin: Plugin;
  /** Called with a config that is right as far as the page can tell. */
  onSave: (config: Config) => void;
}

const written = (config: Config): string => JSON.stringify(config, null, 2);

/** The config as a form where its schema allows one, else, or by choice, as JSON. */
export function ConfigEditor({ plugin, onSave }: ConfigEditorProps) {
  const { t } = useTranslation();
  const schema = plugin.manifest?.config_schema;
  const fields = fieldsOf(schema, plugin.config);
  const [isText, setIsText] = useState(fields === null);
  const [draft, setDraft] = useState<Config>(plugin.config);
  return (
    <Stack maw={640}>
      {fields ? (
        <Checkbox
          label={t("plugins.asJson")}
          checked={isText}
          onChange={(event) => setIsText(event.currentTarget.checked)}
        />
      ) : (
        <Text size="sm">{t("plugins.onlyJson")}</Text>
      )}
      {isText || !fields ? (
        <TextEditor initial={draft} onChange={setDraft} onSave={onSave} />
      ) : (
        <FormEditor
          plugin={plugin}
          fields={fieldsOf(schema, draft) ?? fields}
          initial={fieldsOf(schema, draft) ? draft : plugin.config}
          onChange={setDraft}
          onSave={onSave}
        />
      )}
    </Stack>
  );
}

interface EditorProps {
  initial: Config;
  onChange: (config: Config) => void;
  onSave: (config: Config) => void;
}

function FormEditor({
  plugin,
  fields,
  initial,
  onChange,
  onSave,
}: EditorProps & { plugin: Plugin; fields: Field[] }) {
  const { t } = useTranslation();
  const [drafts, setDrafts] = useState<Drafts>(() => draftsOf(fields, initial));
  const { config, problems } = readDrafts(fields, drafts, plugin.config);
  const isRight = Object.keys(problems).length === 0;
  const change = (key: string, value: string | boolean) => {
    const changed = { ...drafts, [key]: value };
    setDrafts(changed);
    const news = readDrafts(fields, changed, plugin.config);
    if (Object.keys(news.problems).length === 0) onChange(news.config);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isRight) onSave(config);
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        {fields.map((field) => (
          <FieldInput
            key={field.key}
            field={field}
            value={drafts[field.key] ?? ""}
            problem={problems[field.key]}
            onChange={(value) => change(field.key, value)}
          />
        ))}
        <Group>
          <Button type="submit" disabled={!isRight}>
            {t("plugins.saveConfig")}
          </Button>
          <Button variant="default" onClick={() => setDrafts(draftsOf(fields, plugin.config))}>
            {t("plugins.resetConfig")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

interface FieldInputProps {
  field: Field;
  value: string | boolean;
  problem: Problem | undefined;
  onChange: (value: string | boolean) => void;
}

function FieldInput({ field, value, problem, onChange }: FieldInputProps) {
  const { t } = useTranslation();
  const common = {
    label: field.label,
    description: field.help || undefined,
    withAsterisk: field.isRequired,
    error: problem && t(`plugins.problems.${problem.text}`, { ...problem.values }),
  };
  if (field.kind === "boolean")
    return (
      <Checkbox
        label={field.label}
        description={common.description}
        checked={value === true}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    );
  const text = {
    ...common,
    value: String(value),
    onChange: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
  };
  if (field.kind === "enum") {
    const options = field.options.map((option) => ({
      value: JSON.stringify(option),
      label: typeof option === "string" ? option : JSON.stringify(option),
    }));
    return <NativeSelect {...text} data={[...(value === "" ? [""] : []), ...options]} />;
  }
  if (field.kind === "list")
    return (
      <Textarea
        {...text}
        description={[field.help, t("plugins.onePerLine")].filter(Boolean).join(" ")}
        autosize
        minRows={2}
        maxRows={12}
        spellCheck={false}
      />
    );
  return <TextInput {...text} inputMode={field.kind === "string" ? "text" : "decimal"} spellCheck={false} />;
}

function TextEditor({ initial, onChange, onSave }: EditorProps) {
  const { t } = useTranslation();
  const [text, setText] = useState(() => written(initial));
  const read = readConfigText(text);
  const problem = "problem" in read ? read.problem : null;
  const change = (news: string) => {
    setText(news);
    const changed = readConfigText(news);
    if ("config" in changed) onChange(changed.config);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if ("config" in read) onSave(read.config);
      }}
    >
      <Stack>
        <Textarea
          label={t("plugins.configText")}
          value={text}
          error={problem && t(`plugins.problems.${problem.text}`, { ...problem.values })}
          autosize
          minRows={6}
          maxRows={24}
          spellCheck={false}
          styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
          onChange={(event) => change(event.currentTarget.value)}
        />
        <Group>
          <Button type="submit" disabled={problem !== null}>
            {t("plugins.saveConfig")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
