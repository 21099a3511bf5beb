// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "supervisor/engine_client.h"
#include "supervisor/model_host.h"
#include "supervisor/supervisor.h"

namespace llama_gpu::supervisor {

// What a host is made with, beside its models.
struct ModelHostOptions {
  std::string program_version;  // both processes must say the same
  WorkerCommand command;
  WorkerPolicy policy;
  RequestLimits limits;
  size_t max_sending_bytes = size_t{64} << 20;  // of what waits, on its way into one worker
  const Clock* clock = &system_clock();         // outlives the host
};

// Serves each model from an engine worker: a process of its own, which is restarted when it ends.
class SupervisedModelHost final : public ModelHost {
 public:
  // Starts the workers and returns at once: models become ready later, or fail, as workers() says.
  // kInvalidValue where two models have one name; kIoFailed where the system has no descriptors.
  static Result<std::unique_ptr<SupervisedModelHost>> start(std::vector<ModelSpec> models,
                                                            ModelHostOptions options);
  ~SupervisedModelHost() override;

  // Refuses new requests with kShuttingDown; those that run go on. First part of a graceful end.
  void begin_drain();
  // The same, and kills the workers: what runs fails now. stop() has nothing to wait for then. Does not wait.
  void kill();
  // Ends the workers and waits until their processes are gone, within the policy's deadlines. What runs still
  // may finish until then, and fails with kShuttingDown after.
  void stop();

  // As ModelHost says.
  std::vector<ServedModel> models() const override;
  std::vector<WorkerStatus> workers() const override;
  std::optional<ServedModel> find_model(std::string_view name) const override;
  engine::RequestId next_request_id() override { return ++last_request_id_; }
  void generate(const std::string& model, engine::GenerationRequest request,
                std::shared_ptr<GenerationObserver> observer) override;
  void cancel(engine::RequestId id) override;
  engine::RequestId tokenize(const std::string& model, engine::TextPrompt prompt, bool with_pieces,
                             std::function<void(Result<TokenizedText>)> done) override;
  engine::RequestId detokenize(const std::string& model, std::vector<TokenId> tokens,
                               std::function<void(Result<std::string>)> done) override;
  engine::RequestId apply_template(const std::string& model, engine::ChatPrompt prompt,
                                   std::function<void(Result<std::string>)> done) override;

 private:
  SupervisedModelHost() = default;

  EngineClient* find_client(std::string_view name) const;
  Error model_not_found(std::string_view name) const;
  // Encodes on the caller's thread, so that a long text delays nobody's tokens. Returns the job's request.
  engine::RequestId start_job(EngineClient* client, CallBody body, EngineJob job, std::string_view model);
  void fail(const EngineJob& job, const Error& error);
  ServedModel describe(size_t index, const std::vector<WorkerStatus>& statuses) const;

  std::vector<std::unique_ptr<EngineClient>> clients_;  // constant after start
  std::atomic<engine::RequestId> last_request_id_{0};
  std::unique_ptr<Supervisor> supervisor_;  // last: its thread uses the clients
};

}  // namespace llama_gpu::supervisor
