// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/answer_source.h"
#include "app/environment.h"
#include "app/http_client.h"

namespace llama_gpu::app {

// A server that speaks OpenAI's protocol.
struct RemoteServer {
  std::string base_url;  // "http://127.0.0.1:8484", without /v1
  std::string api_key = {};
  bool allow_plain_key = false;  // sends the key over plain http to other machines, too
};

// From what a person writes after --url: with or without /v1 and a slash at the end.
RemoteServer remote_server(std::string url, std::string api_key);

// What a server serves.
struct RemoteModel {
  std::string id;
  int64_t vocab_size = 0;         // 0: it does not say
  bool has_chat_template = true;  // also where it does not say
  std::vector<std::string> aliases = {};
};
// All models; kServerUnreachable, kInvalidValue where the key would go unencrypted, or the server's own
// error.
Result<std::vector<RemoteModel>> remote_models(const HttpClient& http, const RemoteServer& server);

// Asks for a path, with a JSON body as POST, without one as GET: the answer's body. The server's own error.
Result<std::string> call_server(const HttpClient& http, const RemoteServer& server, std::string_view path,
                                std::string body = "");

// Posts a JSON body (GET without one) and hands on the data of each event of the answer, "[DONE]" left out. A
// false from `on_data` ends it. The server's own error, also one inside the stream.
Status stream_events(const HttpClient& http, const RemoteServer& server, std::string_view path,
                     std::string body, const std::function<bool(std::string_view data)>& on_data);

// Answers with a model of a server. One thread.
class RemoteAnswers final : public AnswerSource {
 public:
  RemoteAnswers(const Environment& environment, RemoteServer server, RemoteModel model)
      : environment_(environment), server_(std::move(server)), model_(std::move(model)) {}

  bool has_chat_template() const override { return model_.has_chat_template; }
  Result<AnswerEnd> answer(const std::vector<text::ChatMessage>& conversation, const AnswerOptions& options,
                           const std::function<void(std::string_view)>& on_text,
                           const std::atomic<bool>& cancelled) override;
  Result<AnswerEnd> complete(const std::string& text, const AnswerOptions& options,
                             const std::function<void(std::string_view)>& on_text,
                             const std::atomic<bool>& cancelled) override;

 private:
  // What a request to a route of OpenAI's protocol generates.
  Result<AnswerEnd> generate(std::string_view path, std::string body,
                             const std::function<void(std::string_view)>& on_text,
                             const std::atomic<bool>& cancelled) const;

  const Environment& environment_;
  RemoteServer server_;
  RemoteModel model_;
};

}  // namespace llama_gpu::app
