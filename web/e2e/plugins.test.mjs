// The life of a plugin on the dashboard: a real server, a real plugin, a real browser. The tests go on where the
// one before ended.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { PHONE, setUpDashboard } from "./browser.mjs";
import { writePlugin } from "./plugin.mjs";
import { startServer } from "./server.mjs";

const ID = "acme/guard";
const PAGE = `/plugins/${ID}`;
const dashboard = setUpDashboard();
const { open, shoot, assertFitsWidth, assertNoAxeViolations, expectConsoleError } = dashboard;

const button = (name) => dashboard.page.getByRole("button", { name, exact: true });
const tab = (name) => dashboard.page.getByRole("tab", { name, exact: true }).click();
const sees = (text) => dashboard.page.getByText(text).first().waitFor();
const row = () => dashboard.page.getByRole("table", { name: "Plugins" }).getByRole("row", { name: ID });
const heading = () => dashboard.page.getByRole("heading", { name: ID }).locator("..");

const send = (path, body) =>
  fetch(dashboard.server.url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

async function post(path, body) {
  const answer = await send(path, body);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

const question = (content) => ({
  model: "smollm2-135m-instruct",
  messages: [{ role: "user", content }],
  max_tokens: 2,
});
const chat = (content) => post("/v1/chat/completions", question(content));

const getPlugin = async () => (await fetch(`${dashboard.server.url}/admin/plugins/${ID}`)).json();

/** Names a folder in the dialog that is open, by keyboard. */
async function choose(folder) {
  await dashboard.page.getByRole("textbox", { name: "Folder of the package" }).fill(folder);
  await dashboard.page.keyboard.press("Enter");
}

/** Confirms the plan that is shown. */
async function confirm(act) {
  await sees("What will be done");
  await dashboard.page.getByRole("dialog").getByRole("button", { name: act, exact: true }).click();
  await sees(`Done: ${act}.`);
}

async function installHere(folder) {
  await choose(folder);
  await dashboard.page.getByRole("checkbox", { name: "Install it although it is unsigned" }).check();
  await confirm("Install");
}

describe("plugins", () => {
  it("says that there are none, and how to get one", async () => {
    await open("/plugins");

    await sees("No plugin is installed.");
    await assertNoAxeViolations();
    await shoot("plugins-empty");
  });

  it("says in the server's words what is wrong with a folder", async () => {
    await open("/plugins");
    await button("Install a plugin").click();
    await choose(join(dashboard.folder, "nothing"));

    await sees("This cannot be done");
    await sees(/nothing/);
    expectConsoleError("Failed to load resource");
  });

  it("installs from a folder, after its plan and a tick for want of a signature", async () => {
    await open("/plugins");
    await button("Install a plugin").click();
    await choose(writePlugin(dashboard.folder, "1.0.0"));
    await sees("may read '/etc/hostname'");
    assert.ok(await button("Install").isDisabled());
    await assertNoAxeViolations();
    await shoot("plugins-plan");

    await dashboard.page.getByRole("checkbox", { name: "Install it although it is unsigned" }).check();
    await confirm("Install");

    await row().getByText("active").waitFor();
    await row().getByText("unsigned").waitFor();
    await row().getByText("1.0.0").waitFor();
  });

  it("counts the calls, live", async () => {
    await open("/plugins");
    await row().getByRole("cell", { name: "0", exact: true }).first().waitFor();

    await chat("Say the secret word.");

    await row().getByRole("cell", { name: "1", exact: true }).waitFor();
    await shoot("plugins");
  });

  it("follows what is done elsewhere", async () => {
    await open("/plugins");
    await sees("Events, live");

    await post("/admin/plugins/changes", { action: "disable", plugin: ID });
    await row().getByText("stopped").waitFor();
    await post("/admin/plugins/changes", { action: "enable", plugin: ID });
    await row().getByText("active").waitFor();
  });

  it("reloads into a new process", async () => {
    const { pid } = await getPlugin();
    await open(PAGE);
    await button("Reload").click();
    await confirm("Reload");

    assert.notEqual((await getPlugin()).pid, pid);
    await tab("Events");
    await dashboard.page.getByRole("cell", { name: "draining" }).first().waitFor();
  });

  it("configures by a form that is made from the schema", async () => {
    await open(PAGE);
    await button("Configure").click();
    const mask = dashboard.page.getByRole("textbox", { name: "Mask" });
    await mask.fill("");
    await sees("At least 1 characters.");
    assert.ok(await button("Save").isDisabled());
    await mask.fill("[gone]");
    await shoot("plugin-config");
    await button("Save").click();
    await confirm("Configure");

    await chat("Say the secret word.");

    assert.deepEqual((await getPlugin()).config, { mask: "[gone]", limit: 3, strict: false });
    await tab("Log");
    await sees("masks with [gone]");
  });

  it("shows what failed where an update crashes, while the old version serves on", async () => {
    await open(PAGE);
    await button("Update from a folder").click();
    await choose(writePlugin(dashboard.folder, "2.0.0", { crashesIn: "selfTest" }));
    await dashboard.page.getByRole("checkbox", { name: "Install it although it is unsigned" }).check();
    await button("Install").click();

    await sees("The change was not made; everything is as before");
    await sees("plugin_failed");
    await dashboard.page.getByRole("dialog").getByText("the rules are missing").waitFor();
    await assertNoAxeViolations();
    await shoot("plugin-update-failed");
    await dashboard.page.keyboard.press("Escape");
    expectConsoleError("500");
    await sees("Version 2.0.0 failed; version 1.0.0 serves");
    await heading().getByText("1.0.0").waitFor();
    await heading().getByText("active").waitFor();
    await chat("The old version sees this secret.");
  });

  it("shows the rollback by itself and the quarantine where an update crashes at its work, and the way out", async () => {
    const source = writePlugin(dashboard.folder, "3.0.0", { crashesIn: "call" });
    await post("/admin/plugins/changes", { action: "install", source, allow_unsigned: true });
    await open(PAGE);
    await heading().getByText("3.0.0").waitFor();

    for (let tries = 0; tries < 100 && (await getPlugin()).version === "3.0.0"; ++tries) {
      await send("/v1/chat/completions", question("A secret."));
      await dashboard.page.waitForTimeout(100);
    }

    await sees("Version 3.0.0 is in quarantine and does not run");
    await heading().getByText("1.0.0").waitFor();
    await heading().getByText("active").waitFor();
    await assertNoAxeViolations();
    await shoot("plugin-rolled-back");
    await button("Release from quarantine").click();
    await confirm("Release from quarantine");
    await dashboard.page
      .getByText("Version 3.0.0 is in quarantine and does not run")
      .waitFor({ state: "detached" });
  });

  it("updates, and rolls back to the generation before", async () => {
    await open(PAGE);
    await button("Update from a folder").click();
    await installHere(writePlugin(dashboard.folder, "1.1.0"));
    await heading().getByText("1.1.0").waitFor();

    await tab("Generations");
    await dashboard.page
      .getByRole("button", { name: /^Roll back to/ })
      .first()
      .click();
    await confirm("Roll back");

    await heading().getByText("1.0.0").waitFor();
    assert.equal((await getPlugin()).version, "1.0.0");
  });

  it("disables and enables", async () => {
    await open(PAGE);
    await button("Disable").click();
    await confirm("Disable");
    await heading().getByText("stopped").waitFor();
    await button("Enable").click();
    await confirm("Enable");
    await heading().getByText("active").waitFor();
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`has no axe violations in ${colorScheme}, on any tab`, async () => {
      await dashboard.page.emulateMedia({ colorScheme });
      await open(PAGE);
      for (const name of ["Configuration", "Details", "Log", "Events", "Generations", "Health"]) {
        await tab(name);
        await assertNoAxeViolations();
        await shoot(`plugin-${name.toLowerCase()}-${colorScheme}`);
      }
    });
  }

  it("fits a phone", async () => {
    await dashboard.page.setViewportSize(PHONE);
    for (const path of ["/plugins", PAGE]) {
      await open(path);
      await sees("active");
      await assertFitsWidth();
      await assertNoAxeViolations();
    }
    await shoot("plugin-phone");
  });

  it("is reached and worked by keyboard alone", async () => {
    await open("/plugins");
    await dashboard.page.getByRole("link", { name: ID }).focus();
    await dashboard.page.keyboard.press("Enter");
    await dashboard.page.getByRole("tab", { name: "Health" }).focus();
    await dashboard.page.keyboard.press("ArrowRight");
    await dashboard.page.getByRole("textbox", { name: "Mask" }).waitFor();
    await button("Reload").focus();
    await dashboard.page.keyboard.press("Enter");
    await sees("What will be done");
    await dashboard.page.keyboard.press("Escape");

    await dashboard.page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await dashboard.page.evaluate(() => document.activeElement?.textContent), "Reload");
  });

  it("removes, and says so", async () => {
    await open(PAGE);
    await button("Remove").click();
    await confirm("Remove");

    await sees(`No plugin ${ID} is installed.`);
    await dashboard.page.getByRole("link", { name: "All plugins" }).click();
    await sees("No plugin is installed.");
  });
});

describe("plugins of a server with a key", () => {
  let server;
  before(async () => {
    server = await startServer("--plugins-dir", join(dashboard.folder, "others"), "--api-key", "letmein");
  });
  after(() => server?.stop());

  it("asks for the key, and goes on once it has it", async () => {
    await dashboard.page.goto(`${server.url}/plugins`);
    await sees("The server asks for a key");
    await assertNoAxeViolations();
    await shoot("plugins-key");
    await dashboard.page.getByLabel("API key").fill("letmein");
    await button("Use this key").click();

    await sees("No plugin is installed.");
    expectConsoleError("401");
  });
});
