// The dashboard of a real server in a real browser, for all tests of a file.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach } from "node:test";
import { chromium } from "playwright-core";
import { startServer } from "./server.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SCREENSHOTS = new URL("../../build/screenshots/", import.meta.url).pathname;
export const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 860 };
const BROWSER_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
];

/**
 * {server, page, ...}: a server with `flags` for all tests, a page for each. A test fails where the page writes an
 * error that it did not expect, and all where the server does not end cleanly.
 */
export function setUpDashboard(...flags) {
  let browser;
  let consoleErrors = [];
  const folder = mkdtempSync(join(tmpdir(), "llama-gpu-dashboard-"));
  const dashboard = {
    folder, // for what tests write; gone after them
    server: undefined,
    page: undefined,
    open: (path) => dashboard.page.goto(dashboard.server.url + path),
    shoot: (name) => dashboard.page.screenshot({ path: `${SCREENSHOTS}${name}.png`, fullPage: true }),
    expectConsoleError: (part) => {
      consoleErrors = consoleErrors.filter((text) => !text.includes(part));
    },
    async assertNoAxeViolations() {
      await dashboard.page.evaluate(AXE); // a script tag would be refused by the page's content security policy
      const { violations } = await dashboard.page.evaluate(() => globalThis.axe.run());
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
      assert.deepEqual(found, []);
    },
    async assertFitsWidth() {
      const overflow = await dashboard.page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
      assert.ok(overflow <= 0, `the page is ${overflow} px wider than the screen`);
    },
  };

  before(async () => {
    mkdirSync(SCREENSHOTS, { recursive: true });
    dashboard.server = await startServer("--plugins-dir", join(folder, "plugins"), ...flags);
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: BROWSER_FLAGS,
    });
  });
  after(async () => {
    await browser?.close();
    const code = await dashboard.server?.stop();
    rmSync(folder, { recursive: true, force: true });
    assert.equal(code, 0, "the server ends cleanly");
  });
  beforeEach(async () => {
    const page = await browser.newPage({ viewport: DESKTOP });
    page.setDefaultTimeout(30_000);
    consoleErrors = [];
    page.on("console", (message) => message.type() === "error" && consoleErrors.push(message.text()));
    page.on("pageerror", (error) => consoleErrors.push(String(error)));
    dashboard.page = page;
  });
  afterEach(async () => {
    await dashboard.page.close();
    assert.deepEqual(consoleErrors, []);
  });
  return dashboard;
}
