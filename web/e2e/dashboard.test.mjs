// The dashboard in a real browser, against the real program and the default model. Nothing is intercepted.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, beforeEach, afterEach, describe, it } from "node:test";
import { chromium } from "playwright-core";
import { startServer } from "./server.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SCREENSHOTS = new URL("../../build/screenshots/", import.meta.url).pathname;
const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 860 };

let server;
let browser;
let page;
let consoleErrors;

before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  server = await startServer();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
    ],
  });
});
after(async () => {
  await browser?.close();
  assert.equal(await server?.stop(), 0, "the server ends cleanly");
});
beforeEach(async () => {
  page = await browser.newPage({ viewport: DESKTOP });
  page.setDefaultTimeout(30_000);
  consoleErrors = [];
  page.on("console", (message) => message.type() === "error" && consoleErrors.push(message.text()));
  page.on("pageerror", (error) => consoleErrors.push(String(error)));
});
afterEach(async () => {
  await page.close();
  assert.deepEqual(consoleErrors, []);
});

const open = (path) => page.goto(server.url + path);
const modelIsChosen = () =>
  page.waitForFunction(() => document.querySelector("input[aria-label=Model]")?.value !== "");
const shoot = (name) => page.screenshot({ path: `${SCREENSHOTS}${name}.png` });

async function assertNoAxeViolations() {
  await page.evaluate(AXE); // a script tag would be refused by the page's content security policy
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  assert.deepEqual(found, []);
}

async function ask(text) {
  await open("/chat");
  await modelIsChosen();
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.keyboard.press("Enter");
}

const answerText = () => page.locator("[data-role=assistant] .chat-markdown").last().innerText();

describe("chat", () => {
  it("streams an answer of the model and tells its speed", async () => {
    await ask("Name the three primary colors.");

    await page.getByText(/tokens, .* per second/).waitFor();

    assert.match(await answerText(), /red/i);
    await shoot("chat");
  });

  it("stops an answer at once, and answers again", async () => {
    await ask("Tell me a very long story about the sea, with many chapters.");
    await page.waitForFunction(
      () => (document.querySelector("[data-role=assistant] .chat-markdown")?.textContent ?? "").length > 20,
    );

    await page.keyboard.press("Escape");

    await page.getByText("Stopped.").waitFor();
    await page.getByRole("button", { name: "Answer again" }).waitFor();
  });

  it("uses the parameters: one token at most", async () => {
    await open("/chat");
    await modelIsChosen();
    await page.getByRole("button", { name: "Parameters" }).click();
    await page.getByLabel("Most tokens").fill("1");
    await page.getByRole("textbox", { name: "Message" }).fill("Count to ten.");
    await page.getByRole("button", { name: "Send" }).click();

    await page.getByText(/^1 tokens,/).waitFor();
    await page.getByText("Cut off: the answer reached its longest length.").waitFor();
  });

  it("shows the server's own words when a prompt does not fit", async () => {
    await ask("word ".repeat(9000));

    await page.getByText(/maximum context length/).waitFor();
    consoleErrors = consoleErrors.filter((text) => !text.includes("400"));
  });
});

describe("overview", () => {
  it("shows the worker, and live figures while requests run", async () => {
    const answers = Array.from({ length: 4 }, () =>
      fetch(`${server.url}/v1/completions`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          model: "smollm2-135m-instruct",
          prompt: "Once",
          max_tokens: 200,
          ignore_eos: true,
        }),
      }).then((answer) => answer.json()),
    );
    await open("/overview");

    await page.getByRole("cell", { name: "smollm2-135m-instruct" }).waitFor();
    await page.getByText("ready", { exact: true }).waitFor();
    await page.waitForFunction(
      () =>
        Number.parseFloat(
          document.querySelector("[role=group][aria-label=Throughput]")?.children[1]?.textContent ?? "0",
        ) > 0,
    );
    await Promise.all(answers);
    await page.waitForTimeout(3000); // a few points more on the charts
    await shoot("overview");
  });
});

describe("everywhere", () => {
  for (const path of ["/chat", "/overview"]) {
    for (const colorScheme of ["light", "dark"]) {
      it(`${path} has no axe violations in ${colorScheme}`, async () => {
        await page.emulateMedia({ colorScheme });
        await open(path);
        await page.waitForTimeout(1500); // the first figures
        await assertNoAxeViolations();
        await shoot(`${path.slice(1)}-${colorScheme}`);
      });
    }

    it(`${path} fits a phone, menu included`, async () => {
      await page.setViewportSize(PHONE);
      await open(path);
      await page.getByRole("button", { name: "Open the menu" }).click();
      await page.getByRole("link", { name: "Overview" }).waitFor();
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(overflow <= 0, `the page is ${overflow} px wider than the screen`);
      await page.getByRole("button", { name: "Close the menu" }).click();
      await assertNoAxeViolations();
      await shoot(`${path.slice(1)}-phone`);
    });
  }

  it("is reached by keyboard alone", async () => {
    await open("/chat");
    await modelIsChosen();
    await page.getByRole("link", { name: "Overview" }).focus();
    await page.keyboard.press("Enter");

    await page.getByRole("heading", { name: "Overview" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/overview");
  });

  it("opens deep links, and says where nothing is", async () => {
    await open("/overview");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await open("/no/such/page");
    await page.getByText("There is no page here.").waitFor();
  });

  it("keeps to the content security policy", async () => {
    const answer = await open("/");
    assert.match(answer.headers()["content-security-policy"] ?? "", /frame-ancestors 'none'/);
    await page.waitForURL("**/chat");
  });
});
