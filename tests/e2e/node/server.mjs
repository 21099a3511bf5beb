// SPDX-License-Identifier: Apache-2.0
// Starts the real program on the real default model, on a free port.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const program = process.env.LLAMAGPU_BIN ?? join(root, "build/release/bin/llama-gpu");
const data = process.env.XDG_DATA_HOME ?? join(homedir(), ".local/share");
const models = process.env.LLAMAGPU_MODELS ?? join(data, "llama-gpu/models");
const model = process.env.LLAMAGPU_TEST_MODEL ?? join(models, "SmolLM2-135M-Instruct.Q4_1.gguf");

// Whether the server computes with AVX2 or AVX-512. The plain loops round otherwise, and this small model then answers
// otherwise, too.
export const hasVectors =
  process.env.LLAMAGPU_FORCE_ISA !== "scalar" && readFileSync("/proc/cpuinfo", "utf8").includes("avx2");

async function untilReady(url) {
  for (;;) {
    const answer = await fetch(`${url}/readyz`);
    await answer.text();
    if (answer.status === 200) return;
    await new Promise((done) => setTimeout(done, 50));
  }
}

// Resolves to {url, stop} once requests are answered.
export async function startServer() {
  for (const path of [program, model]) {
    if (!existsSync(path)) throw new Error(`${path} is missing`);
  }
  const child = spawn(program, ["serve", model, "--port", "0"], { stdio: ["ignore", "ignore", "pipe"] });
  const exited = new Promise((done) => child.once("exit", done));
  const lines = [];
  const url = await new Promise((done, fail) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      lines.push(line);
      const found = /listening on (http:\/\/\S+)/.exec(line);
      if (found) done(found[1]);
    });
    exited.then(() => fail(new Error(`serve ended:\n${lines.join("\n")}`)));
  });
  await untilReady(url);
  const stop = async () => {
    child.kill("SIGTERM");
    return exited;
  };
  return { url, stop };
}
