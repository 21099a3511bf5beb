// SPDX-License-Identifier: Apache-2.0
#include "supervisor/supervised_model_host.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/strings.h"

namespace llama_gpu::supervisor {
namespace {

// Hands on the alternative that the call is answered with. What else a worker may say is its fault.
template <typename Answer, typename Value>
std::function<void(Result<ReplyBody>)> expect(std::function<void(Result<Value>)> done,
                                              Value Answer::* member) {
  return [done = std::move(done), member](Result<ReplyBody> body) {
    if (!body.ok()) return done(body.error());
    auto* answer = std::get_if<Answer>(&body.value());
    if (answer == nullptr)
      return done(Error{ErrorCode::kProtocolError, "the worker's answer is of another kind"});
    done(std::move(answer->*member));
  };
}

Result<std::string> encode_call_frame(const Call& call) {
  TRY(const std::string payload, encode_call(call));
  return encode_frame(FrameKind::kControl, payload);
}

Status check_names(const std::vector<ModelSpec>& models) {
  std::set<std::string> names;
  const auto is_taken = [&](const std::string& name) { return !names.insert(name).second; };
  for (const ModelSpec& model : models) {
    if (is_taken(model.id) || std::any_of(model.aliases.begin(), model.aliases.end(), is_taken)) {
      return Error{ErrorCode::kInvalidValue, "two models are named '" + model.id + "', or share an alias",
                   "give each model its own names"};
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<SupervisedModelHost>> SupervisedModelHost::start(std::vector<ModelSpec> models,
                                                                        ModelHostOptions options) {
  TRY_STATUS(check_names(models));
  std::unique_ptr<SupervisedModelHost> host(new SupervisedModelHost());
  std::vector<Supervisor::Member> members;
  for (ModelSpec& model : models) {
    host->clients_.push_back(std::make_unique<EngineClient>(std::move(model), options.program_version,
                                                            options.limits, *options.clock));
    members.push_back({{"engine-" + std::to_string(members.size()), options.command, options.policy,
                        options.max_sending_bytes},
                       host->clients_.back().get()});
  }
  TRY(host->supervisor_, Supervisor::start(std::move(members), *options.clock));
  return host;
}

SupervisedModelHost::~SupervisedModelHost() { stop(); }

void SupervisedModelHost::begin_drain() {
  supervisor_->post([this] {
    for (const auto& client : clients_) client->begin_drain();
  });
  supervisor_->let_end();
}

void SupervisedModelHost::kill() {
  begin_drain();
  supervisor_->kill();
}

void SupervisedModelHost::stop() {
  if (!supervisor_) return;
  begin_drain();
  supervisor_->stop();
}

std::vector<WorkerStatus> SupervisedModelHost::workers() const { return supervisor_->workers(); }

ServedModel SupervisedModelHost::describe(size_t index, const std::vector<WorkerStatus>& statuses) const {
  const EngineClient& client = *clients_[index];
  return {.id = client.spec().id,
          .aliases = client.spec().aliases,
          .created_unix_seconds = client.spec().created_unix_seconds,
          .is_ready = index < statuses.size() && statuses[index].is_ready,
          .info = client.info()};
}

std::vector<ServedModel> SupervisedModelHost::models() const {
  const std::vector<WorkerStatus> statuses = workers();
  std::vector<ServedModel> models;
  models.reserve(clients_.size());
  for (size_t i = 0; i < clients_.size(); ++i) models.push_back(describe(i, statuses));
  return models;
}

EngineClient* SupervisedModelHost::find_client(std::string_view name) const {
  for (const auto& client : clients_) {
    const ModelSpec& spec = client->spec();
    if (spec.id == name || std::count(spec.aliases.begin(), spec.aliases.end(), name) > 0)
      return client.get();
  }
  return nullptr;
}

std::optional<ServedModel> SupervisedModelHost::find_model(std::string_view name) const {
  const EngineClient* client = find_client(name);
  for (size_t i = 0; i < clients_.size(); ++i) {
    if (clients_[i].get() == client) return describe(i, workers());
  }
  return std::nullopt;
}

Error SupervisedModelHost::model_not_found(std::string_view name) const {
  std::vector<std::string_view> known;
  for (const auto& client : clients_) {
    known.push_back(client->spec().id);
    known.insert(known.end(), client->spec().aliases.begin(), client->spec().aliases.end());
  }
  return {ErrorCode::kModelNotFound,
          "the model '" + std::string(utf8_prefix(name, 200)) + "' is not served here" +
              did_you_mean(name, known),
          "GET /v1/models lists those that are", "model"};
}

void SupervisedModelHost::fail(const EngineJob& job, const Error& error) {
  const auto tell = [observer = job.observer, done = job.done, error] {
    if (observer) observer->on_failed(error);
    if (done) done(error);
  };
  // Once the host's thread is gone, there is only the caller's.
  if (!supervisor_->post(tell)) tell();
}

engine::RequestId SupervisedModelHost::start_job(EngineClient* client, CallBody body, EngineJob job,
                                                 std::string_view model) {
  const engine::RequestId request = job.request;
  if (client == nullptr) {
    fail(job, model_not_found(model));
    return request;
  }
  job.call_id = client->next_call_id();
  job.lane = lane_of(body);
  Result<std::string> frame = encode_call_frame({job.call_id, std::move(body)});
  if (!frame.ok()) {
    fail(job, frame.error());
    return request;
  }
  job.frame = std::move(frame).value();

  const auto shared = std::make_shared<EngineJob>(std::move(job));
  if (!supervisor_->post([client, shared] { client->start(std::move(*shared)); })) {
    fail(*shared,
         {ErrorCode::kShuttingDown, "the server is being stopped", "send the request again in a moment"});
  }
  return request;
}

void SupervisedModelHost::generate(const std::string& model, engine::GenerationRequest request,
                                   std::shared_ptr<GenerationObserver> observer) {
  EngineClient* client = find_client(model);
  EngineJob job;
  job.observer = std::move(observer);
  job.request = request.id;
  job.num_choices = request.num_choices;
  start_job(client, SubmitCall{client != nullptr ? client->spec().id : model, std::move(request)},
            std::move(job), model);
}

void SupervisedModelHost::cancel(engine::RequestId id) {
  supervisor_->post([this, id] {
    for (const auto& client : clients_) client->cancel(id);
  });
}

engine::RequestId SupervisedModelHost::tokenize(const std::string& model, engine::TextPrompt prompt,
                                                bool with_pieces,
                                                std::function<void(Result<TokenizedText>)> done) {
  EngineJob job;
  job.request = next_request_id();
  job.done = expect<TokensReply>(std::move(done), &TokensReply::text);
  return start_job(find_client(model), TokenizeCall{model, std::move(prompt), with_pieces}, std::move(job),
                   model);
}

engine::RequestId SupervisedModelHost::detokenize(const std::string& model, std::vector<TokenId> tokens,
                                                  std::function<void(Result<std::string>)> done) {
  EngineJob job;
  job.request = next_request_id();
  job.done = expect<TextReply>(std::move(done), &TextReply::text);
  return start_job(find_client(model), DetokenizeCall{model, std::move(tokens)}, std::move(job), model);
}

engine::RequestId SupervisedModelHost::apply_template(const std::string& model, engine::ChatPrompt prompt,
                                                      std::function<void(Result<std::string>)> done) {
  EngineJob job;
  job.request = next_request_id();
  job.done = expect<TextReply>(std::move(done), &TextReply::text);
  return start_job(find_client(model), ApplyTemplateCall{model, std::move(prompt)}, std::move(job), model);
}

}  // namespace llama_gpu::supervisor
