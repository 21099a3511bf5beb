// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/generation.h"

namespace llama_gpu::supervisor {

// Where a worker is in its life. kBackoff: it ended, or could not be started, and will be tried again;
// kFailed: its model cannot be loaded, and waits for another file.
enum class WorkerState : uint8_t { kStarting, kLoading, kReady, kDraining, kBackoff, kFailed, kStopped };

// kNotStarted: there never was a process.
enum class ExitKind : uint8_t { kLoadFailed, kCrashed, kOutOfMemory, kHung, kStopped, kNotStarted };

// Why a worker ended.
struct WorkerExit {
  ExitKind kind = ExitKind::kCrashed;
  int signal = 0;             // 0: none
  int exit_code = 0;          // where signal is 0
  std::string message = {};   // the error it reported, where it could
  std::string log_tail = {};  // its last lines on stderr
};

// A moment's view of one worker.
struct WorkerStatus {
  std::string id;
  std::string model;
  int64_t pid = 0;  // 0: none runs
  WorkerState state = WorkerState::kStarting;
  bool is_ready = false;           // kReady, and heard of in the last two seconds
  int64_t since_unix_seconds = 0;  // when the state was entered
  int64_t restarts = 0;
  std::optional<WorkerExit> last_exit;
  engine::EngineStats stats;  // its counters go on over restarts
  uint64_t memory_bytes = 0;  // resident
};

// A model as clients name it.
struct ServedModel {
  std::string id;
  std::vector<std::string> aliases;
  int64_t created_unix_seconds = 0;
  bool is_ready = false;
  std::optional<engine::ModelInfo> info;  // once it was loaded
};

// A text in tokens.
struct TokenizedText {
  std::vector<TokenId> tokens;
  std::vector<std::vector<uint8_t>> pieces;  // the bytes of each token, where they were asked for
};

// Hears of one request. Called on the host's thread; must not block it. After a finish of every choice, or
// on_failed, nothing more comes.
class GenerationObserver {
 public:
  virtual ~GenerationObserver() = default;
  // Once, before the first update.
  virtual void on_accepted(const engine::SubmitReceipt& receipt) = 0;
  // In order of steps.
  virtual void on_update(const engine::SequenceUpdate& update) = 0;
  // Refused, or its worker ended. A request that had not begun waits for the new worker first.
  virtual void on_failed(const Error& error) = 0;
};

// The models of this server, wherever they run: what the HTTP layer knows of the engine.
//
// Thread-safe; calls never block. Callbacks come on the host's thread.
class ModelHost {
 public:
  virtual ~ModelHost() = default;

  virtual std::vector<ServedModel> models() const = 0;
  virtual std::vector<WorkerStatus> workers() const = 0;
  // A model by id or alias.
  virtual std::optional<ServedModel> find_model(std::string_view name) const = 0;

  // A fresh id, unique in this process.
  virtual engine::RequestId next_request_id() = 0;

  // REQUIRES: `request.id` came from next_request_id(). kModelNotFound comes through the observer, too.
  virtual void generate(const std::string& model, engine::GenerationRequest request,
                        std::shared_ptr<GenerationObserver> observer) = 0;
  // Frees the request's place within a step, or takes back a call for a text that waits; the observer or
  // `done` hears nothing more, but for what is on its way to it at this moment. Unknown ids are ignored.
  virtual void cancel(engine::RequestId id) = 0;

  // What the model's tokenizer and template make of a text, without generating. `done` is called once, maybe
  // before these return. They return the id for cancel().
  virtual engine::RequestId tokenize(const std::string& model, engine::TextPrompt prompt, bool with_pieces,
                                     std::function<void(Result<TokenizedText>)> done) = 0;
  virtual engine::RequestId detokenize(const std::string& model, std::vector<TokenId> tokens,
                                       std::function<void(Result<std::string>)> done) = 0;
  virtual engine::RequestId apply_template(const std::string& model, engine::ChatPrompt prompt,
                                           std::function<void(Result<std::string>)> done) = 0;
};

}  // namespace llama_gpu::supervisor
