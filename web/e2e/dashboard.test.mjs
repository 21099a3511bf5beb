// The dashboard in a real browser, against the real program and the default model. Nothing is intercepted.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PHONE, setUpDashboard } from "./browser.mjs";

const dashboard = setUpDashboard();
const { open, shoot, assertFitsWidth, assertNoAxeViolations, expectConsoleError } = dashboard;

const modelIsChosen = () =>
  dashboard.page.waitForFunction(() => document.querySelector("input[aria-label=Model]")?.value !== "");

async function ask(text) {
  await open("/chat");
  await modelIsChosen();
  await dashboard.page.getByRole("textbox", { name: "Message" }).fill(text);
  await dashboard.page.keyboard.press("Enter");
}

const answerText = () => dashboard.page.locator("[data-role=assistant] .chat-markdown").last().innerText();

describe("chat", () => {
  it("streams an answer of the model and tells its speed", async () => {
    await ask("Name the three primary colors.");

    await dashboard.page.getByText(/tokens, .* per second/).waitFor();

    assert.match(await answerText(), /red/i);
    await shoot("chat");
  });

  it("stops an answer at once, and answers again", async () => {
    await ask("Tell me a very long story about the sea, with many chapters.");
    await dashboard.page.waitForFunction(
      () => (document.querySelector("[data-role=assistant] .chat-markdown")?.textContent ?? "").length > 20,
    );

    await dashboard.page.keyboard.press("Escape");

    await dashboard.page.getByText("Stopped.").waitFor();
    await dashboard.page.getByRole("button", { name: "Answer again" }).waitFor();
  });

  it("uses the parameters: one token at most", async () => {
    await open("/chat");
    await modelIsChosen();
    await dashboard.page.getByRole("button", { name: "Parameters" }).click();
    await dashboard.page.getByLabel("Most tokens").fill("1");
    await dashboard.page.getByRole("textbox", { name: "Message" }).fill("Count to ten.");
    await dashboard.page.getByRole("button", { name: "Send" }).click();

    await dashboard.page.getByText(/^1 tokens,/).waitFor();
    await dashboard.page.getByText("Cut off: the answer reached its longest length.").waitFor();
  });

  it("shows the server's own words when a prompt does not fit", async () => {
    await ask("word ".repeat(9000));

    await dashboard.page.getByText(/maximum context length/).waitFor();
    expectConsoleError("400");
  });
});

describe("overview", () => {
  it("shows the worker, and live figures while requests run", async () => {
    let isSeen = false;
    const keepAsking = async () => {
      while (!isSeen) {
        const answer = await fetch(`${dashboard.server.url}/v1/completions`, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({
            model: "smollm2-135m-instruct",
            prompt: "Once",
            max_tokens: 200,
            ignore_eos: true,
          }),
        });
        await answer.json();
      }
    };
    const clients = Array.from({ length: 4 }, keepAsking);
    try {
      await open("/overview");

      await dashboard.page.getByRole("cell", { name: "smollm2-135m-instruct" }).waitFor();
      await dashboard.page.getByText("ready", { exact: true }).waitFor();
      await dashboard.page.waitForFunction(
        () =>
          Number.parseFloat(
            document.querySelector("[role=group][aria-label=Throughput]")?.children[1]?.textContent ?? "0",
          ) > 0,
      );
      await dashboard.page.waitForTimeout(3000); // a few points more on the charts
      await shoot("overview");
    } finally {
      isSeen = true;
    }
    await Promise.all(clients);
  });
});

describe("everywhere", () => {
  for (const path of ["/chat", "/overview", "/plugins"]) {
    for (const colorScheme of ["light", "dark"]) {
      it(`${path} has no axe violations in ${colorScheme}`, async () => {
        await dashboard.page.emulateMedia({ colorScheme });
        await open(path);
        await dashboard.page.waitForTimeout(1500); // the first figures
        await assertNoAxeViolations();
        await shoot(`${path.slice(1)}-${colorScheme}`);
      });
    }

    it(`${path} fits a phone, menu included`, async () => {
      await dashboard.page.setViewportSize(PHONE);
      await open(path);
      await dashboard.page.getByRole("button", { name: "Open the menu" }).click();
      await dashboard.page.getByRole("link", { name: "Overview" }).waitFor();
      await assertFitsWidth();
      await dashboard.page.getByRole("button", { name: "Close the menu" }).click();
      await assertNoAxeViolations();
      await shoot(`${path.slice(1)}-phone`);
    });
  }

  it("is reached by keyboard alone", async () => {
    await open("/chat");
    await modelIsChosen();
    await dashboard.page.getByRole("link", { name: "Overview" }).focus();
    await dashboard.page.keyboard.press("Enter");

    await dashboard.page.getByRole("heading", { name: "Overview" }).waitFor();
    assert.equal(new URL(dashboard.page.url()).pathname, "/overview");
  });

  it("opens deep links, and says where nothing is", async () => {
    await open("/overview");
    await dashboard.page.getByRole("heading", { name: "Overview" }).waitFor();
    await open("/no/such/page");
    await dashboard.page.getByText("There is no page here.").waitFor();
  });

  it("keeps to the content security policy", async () => {
    const answer = await open("/");
    assert.match(answer.headers()["content-security-policy"] ?? "", /frame-ancestors 'none'/);
    await dashboard.page.waitForURL("**/chat");
  });
});
