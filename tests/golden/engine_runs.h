// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "engine/engine.h"
#include "ops/reference/reference_backend.h"
#include "support/recording_listener.h"

namespace llama_gpu::golden {

// The backends that this program links, as `app` registers them.
inline const BackendRegistry& all_backends() {
  static const BackendRegistry registry = [] {
    BackendRegistry backends;
    backends.add("reference", make_reference_backend);
    backends.add("cpu", make_cpu_backend);
    return backends;
  }();
  return registry;
}

// A greedy request of token ids that ends after `max_tokens` only.
inline engine::GenerationRequest greedy_request(engine::RequestId id, std::vector<TokenId> prompt,
                                                int64_t max_tokens) {
  engine::GenerationRequest request;
  request.id = id;
  request.prompt = std::move(prompt);
  request.sampling.temperature = 0;
  request.max_tokens = max_tokens;
  request.ignore_eos = true;
  return request;
}

// Runs requests at once on a new engine. Answers stand in the order of the requests.
struct EngineRun {
  std::vector<test_support::Answer> answers;
  engine::EngineStats stats;
};
inline EngineRun run_engine(const engine::EngineOptions& options,
                            const std::vector<engine::GenerationRequest>& requests) {
  test_support::RecordingListener listener;
  auto loaded = engine::Engine::load(all_backends(), options, listener);
  if (!loaded.ok()) {
    ADD_FAILURE() << loaded.error().message;
    return {std::vector<test_support::Answer>(requests.size()), {}};
  }
  const std::unique_ptr<engine::Engine> engine = std::move(loaded).value();
  for (const engine::GenerationRequest& request : requests) {
    const auto receipt = engine->submit(request);
    if (!receipt.ok()) ADD_FAILURE() << receipt.error().message;
  }
  EngineRun run;
  for (const engine::GenerationRequest& request : requests)
    run.answers.push_back(listener.wait_for(request.id));
  run.stats = engine->stats();
  return run;
}

}  // namespace llama_gpu::golden
