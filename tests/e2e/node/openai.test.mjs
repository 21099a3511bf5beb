// SPDX-License-Identifier: Apache-2.0
// The unmodified OpenAI SDK for JavaScript against the real server and model.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { hasVectors, startServer } from "./server.mjs";

const model = "smollm2-135m-instruct";
const messages = [{ role: "user", content: hasVectors ? "What is the capital of France?" : "Hi" }];
let server;
let client;

before(async () => {
  server = await startServer();
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "any", maxRetries: 0 });
});

after(async () => {
  assert.equal(await server?.stop(), 0);
});

test("lists and finds models", async () => {
  const ids = [];
  for await (const served of client.models.list()) ids.push(served.id);
  assert.deepEqual(ids, [model]);
  assert.equal((await client.models.retrieve(model)).id, model);
});

test("streams the same text as the document holds", async () => {
  const options = { model, messages, temperature: 0, max_tokens: 24 };
  const document = await client.chat.completions.create(options);
  const stream = await client.chat.completions.create({
    ...options,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let finish = null;
  let usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, document.choices[0].message.content);
  if (hasVectors) assert.match(text, /Paris/);
  assert.equal(finish, document.choices[0].finish_reason);
  assert.deepEqual(usage, document.usage);
});

test("assembles a stream with the SDK's own runner", async () => {
  const runner = client.chat.completions.stream({ model, messages, temperature: 0, max_tokens: 8 });
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.role, "assistant");
  assert.ok(final.choices[0].message.content.length > 0);
});

test("continues several prompts", async () => {
  const answer = await client.completions.create({
    model,
    prompt: ["Once upon a time", "The sky is"],
    temperature: 0,
    max_tokens: 4,
    logprobs: 2,
    echo: true,
  });
  assert.deepEqual(
    answer.choices.map((choice) => choice.index),
    [0, 1],
  );
  assert.ok(answer.choices[1].text.startsWith("The sky is"));
  assert.equal(answer.choices[1].logprobs.token_logprobs[0], null);
});

test("gives errors the SDK's classes", async () => {
  await assert.rejects(client.chat.completions.create({ model: "nope", messages }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    assert.ok(error.requestID);
    return true;
  });
  await assert.rejects(client.chat.completions.create({ model, messages, temperature: 3 }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.param, "temperature");
    return true;
  });
});

test("frees the place of a stream that is aborted", async () => {
  const stream = await client.chat.completions.create({ model, messages, stream: true, ignore_eos: true });
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) stream.controller.abort();
  }
  for (;;) {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    if (/^llamagpu_requests_running\{[^}]*\} 0$/m.test(metrics)) break;
  }
});
