// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "engine/accept_request.h"
#include "engine/engine.h"
#include "engine/load_engine.h"
#include "ops/reference/reference_backend.h"
#include "support/recording_listener.h"
#include "support/scratch_file.h"
#include "support/tiny_model.h"

namespace llama_gpu::engine {

// For tests: a tiny random model on the reference backend.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest() : file_(".gguf") {
    EXPECT_TRUE(test_support::write_tiny_llama(file_.path()).ok());
    backends_.add("reference", make_reference_backend);
  }

  EngineOptions options() const {
    EngineOptions options;
    options.model_path = file_.path();
    options.backend = "reference";
    return options;
  }

  // Different prompts for different numbers, of different lengths.
  static std::vector<TokenId> prompt(int number, size_t num_tokens = 0) {
    std::vector<TokenId> tokens;
    const size_t count = num_tokens == 0 ? 3 + static_cast<size_t>(number) * 5 % 40 : num_tokens;
    for (size_t i = 0; i < count; ++i)
      tokens.push_back(static_cast<TokenId>(3 + (i * 31 + static_cast<size_t>(number) * 7) % 250));
    return tokens;
  }

  static GenerationRequest greedy(RequestId id, std::vector<TokenId> tokens, int64_t max_tokens = 24) {
    GenerationRequest request;
    request.id = id;
    request.prompt = std::move(tokens);
    request.sampling.temperature = 0;
    request.max_tokens = max_tokens;
    request.ignore_eos = true;
    return request;
  }

  test_support::ScratchFile file_;
  BackendRegistry backends_;
};

// A generator that a test steps by hand.
class SteppedGenerator {
 public:
  explicit SteppedGenerator(LoadedEngine loaded) : loaded_(std::move(loaded)) {}

  // Checks and queues a request.
  void add(GenerationRequest request, SteadyTime received = {}) {
    auto accepted =
        accept_request(std::move(request), {*loaded_.encoder, loaded_.info.context_tokens, 99, received});
    ASSERT_TRUE(accepted.ok()) << accepted.error().message;
    generator().add(std::move(accepted).value());
    hear();
  }
  // Computes one step.
  void step() {
    generator().step();
    hear();
  }
  // Computes until nothing is left to do.
  void run() {
    while (generator().has_work()) step();
  }
  // Takes what the generator has to tell.
  void hear() {
    listener_.on_step(generator().updates());
    generator().clear_updates();
  }
  // REQUIRES: it has ended.
  test_support::Answer answer(RequestId id, int32_t choice = 0) { return listener_.wait_for(id, choice); }

  // What it drives.
  Generator& generator() { return *loaded_.generator; }
  // What it was made from.
  LoadedEngine& loaded() { return loaded_; }

 private:
  LoadedEngine loaded_;
  test_support::RecordingListener listener_;
};

}  // namespace llama_gpu::engine
