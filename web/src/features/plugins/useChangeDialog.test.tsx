import { Button, MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it, type MockInstance, vi } from "vitest";
import { ApiError } from "../../api/ApiError";
import * as client from "../../api/client";
import type { Change } from "./change";
import { useChangeDialog } from "./useChangeDialog";

const PLAN = {
  steps: [{ action: "update", plugin: "acme/guard", from_version: "1.0.0", to_version: "2.0.0" }],
  new_permissions: ["may use the network"],
  warnings: [] as string[],
};
const GENERATION = { number: 7, created: 0, reason: "", parent: 6, plugins: [] };

let changePlugins: MockInstance<typeof client.changePlugins>;
const asked = () => changePlugins.mock.calls.map(([body]) => body).filter((body) => !body.dry_run);

function Page({ change }: { change: Change }) {
  const { ask, askForPackage, notice, dialog } = useChangeDialog();
  return (
    <>
      <Button onClick={() => ask(change)}>Ask</Button>
      <Button onClick={askForPackage}>Choose</Button>
      {notice}
      {dialog}
    </>
  );
}

function openWith(button: string, change: Change = { action: "reload", plugin: "acme/guard" }) {
  render(
    <MantineProvider env="test">
      <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
        <Page change={change} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  const user = userEvent.setup();
  return user.click(screen.getByRole("button", { name: button })).then(() => user);
}

const answer = (plan: client.PluginChangePlan, failure?: ApiError) =>
  changePlugins.mockImplementation(async (body) => {
    if (!body.dry_run && failure) throw failure;
    return { plan, generation: body.dry_run ? null : GENERATION };
  });

beforeEach(() => {
  changePlugins = vi.spyOn(client, "changePlugins");
  answer(PLAN);
});

it("shows the plan, and changes nothing before it is confirmed", async () => {
  const user = await openWith("Ask");

  expect(await screen.findByText("may use the network")).toBeTruthy();
  expect(screen.getByText("1.0.0 to 2.0.0", { exact: false })).toBeTruthy();
  expect(asked()).toEqual([]);

  await user.click(screen.getByRole("button", { name: "Reload" }));

  expect(await screen.findByText("Done: Reload. Generation 7 is the current one.")).toBeTruthy();
  expect(asked()).toEqual([
    { action: "reload", plugin: "acme/guard", allow_unsigned: false, dry_run: false },
  ]);
});

it("installs an unsigned package only with a tick", async () => {
  answer({ ...PLAN, warnings: ["the package of 'acme/guard' is unsigned"] });
  const user = await openWith("Choose");
  await user.type(screen.getByRole("textbox", { name: "Folder of the package" }), "/tmp/guard{Enter}");

  const install = await screen.findByRole("button", { name: "Install" });
  expect(install).toHaveProperty("disabled", true);
  await user.click(screen.getByRole("checkbox", { name: "Install it although it is unsigned" }));
  await user.click(install);

  expect(await screen.findByText(/^Done: Install/)).toBeTruthy();
  expect(asked()).toEqual([
    { action: "install", source: "/tmp/guard", allow_unsigned: true, dry_run: false },
  ]);
});

it("asks for the tick, too, where only the server says that a package is unsigned", async () => {
  answer(PLAN, new ApiError("no trusted key signed it", 403, "plugin_unsigned"));
  const user = await openWith("Ask", { action: "install", source: "/tmp/guard" });
  await user.click(await screen.findByRole("button", { name: "Install" }));

  expect(await screen.findByText("no trusted key signed it")).toBeTruthy();
  expect(screen.getByText("plugin_unsigned")).toBeTruthy();
  expect(screen.getByRole("checkbox", { name: "Install it although it is unsigned" })).toBeTruthy();
});

it("takes only absolute paths", async () => {
  const user = await openWith("Choose");
  await user.type(screen.getByRole("textbox", { name: "Folder of the package" }), "guard{Enter}");

  expect(screen.getByText("The path must begin with /.")).toBeTruthy();
  expect(changePlugins).not.toHaveBeenCalled();
});

it("shows in the server's words why a plan cannot be made", async () => {
  changePlugins.mockRejectedValue(new ApiError("plugin.toml:3:1: no version", 400, "plugin_invalid"));
  await openWith("Ask");

  expect(await screen.findByText("plugin.toml:3:1: no version")).toBeTruthy();
  expect(screen.getByText("plugin_invalid")).toBeTruthy();
});

it("stays open with the reason where a change fails", async () => {
  answer(PLAN, new ApiError("it ended with exit code 3", 500, "plugin_failed"));
  const user = await openWith("Ask");
  await user.click(await screen.findByRole("button", { name: "Reload" }));

  expect(await screen.findByText("it ended with exit code 3")).toBeTruthy();
  expect(screen.getByText("The change was not made; everything is as before")).toBeTruthy();
});

it("offers nothing where nothing would change, but a release", async () => {
  answer({ steps: [], new_permissions: [], warnings: [] });
  await openWith("Ask");
  expect(await screen.findByRole("button", { name: "Reload" })).toHaveProperty("disabled", true);
});

it("releases from quarantine, which changes no plugin of the set", async () => {
  answer({ steps: [], new_permissions: [], warnings: [] });
  await openWith("Ask", { action: "release", plugin: "acme/guard" });

  expect(await screen.findByRole("button", { name: "Release from quarantine" })).toHaveProperty(
    "disabled",
    false,
  );
});
