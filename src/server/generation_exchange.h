// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "engine/generation.h"
#include "server/parse_generation.h"
#include "server/render_answer.h"
#include "server/response_writer.h"
#include "server/route.h"
#include "supervisor/model_host.h"

namespace llama_gpu::server {

// Makes the renderer of an API.
using RendererFactory = std::unique_ptr<AnswerRenderer> (*)(const AnswerHead& head, AnswerForm form);

// One client's request for text, from its parsed form to the last byte of its answer.
//
// The host's thread puts news into a mailbox; the connection's thread empties it, so that a step's news of
// all choices become one write. While the client is far behind with reading, its news wait in there, up to a
// limit; nobody else waits for it. The status line waits for the first token, or for the first silence after
// a worker took the request (HttpTimeouts::silence), so that whatever goes wrong before it has a status of
// its own. Connection's thread only, but for the mailbox.
class GenerationExchange : public ExchangeListener, public std::enable_shared_from_this<GenerationExchange> {
 public:
  // What an API's route knows beyond the call itself.
  struct Api {
    std::string_view id_prefix;  // "chatcmpl-"
    RendererFactory make_renderer;
  };

  // Answers the call through exchange.writer, now or later.
  static void start(const Exchange& exchange, GenerationCall call, const Api& api);

  GenerationExchange(const Exchange& exchange, GenerationCall call, const Api& api);

  void on_closed() override;
  void on_silence() override;
  void on_drained() override;
  void on_abort(const Error& error) override;

 private:
  struct News {
    size_t prompt_idx;
    SteadyTime came;
    std::variant<engine::SubmitReceipt, engine::SequenceUpdate, Error> what;
  };
  class Mailbox;
  class Observer;

  // What is known of one choice.
  struct Choice {
    bool was_scheduled = false;
    bool has_finished = false;
    std::optional<SteadyTime> last_token = {};
  };

  // The steps, in the order in which they come.
  void filter();
  void launch();
  void read_mail();
  void take(const std::vector<News>& batch);
  void take(const News& news);
  void take_receipt(size_t prompt_idx, const engine::SubmitReceipt& receipt);
  void echo(size_t prompt_idx, std::string_view text);
  void take_update(const News& news, const engine::SequenceUpdate& update);
  size_t choices_per_prompt() const { return choices_.size() / call_.requests.size(); }
  void measure(Choice& choice, size_t num_tokens, SteadyTime came);
  bool is_with_a_worker() const;
  void begin_stream();
  void finish();
  void fail(const Error& error);
  void cancel_requests();

  ServerContext& server_;
  std::shared_ptr<ResponseWriter> writer_;
  std::string request_id_;
  std::string model_id_;  // as the host knows it
  GenerationCall call_;
  Api api_;
  std::unique_ptr<AnswerRenderer> renderer_;
  std::shared_ptr<Mailbox> mailbox_;
  std::vector<engine::RequestId> request_ids_;  // handed to the host
  std::vector<Choice> choices_;
  std::string events_;  // of this step, not yet written
  Usage usage_;
  SteadyTime received_;
  size_t num_accepted_ = 0;  // of call_.requests, by a worker
  size_t num_open_choices_ = 0;
  bool has_begun_ = false;  // the stream
  bool has_ended_ = false;
};

// The model of that name, or kModelNotFound naming all names that are served, aliases among them.
Result<supervisor::ServedModel> find_model(const supervisor::ModelHost& host, std::string_view name);

// The same for a request that need not name a model: nullopt is the first that is served.
Result<supervisor::ServedModel> find_model_or_first(const supervisor::ModelHost& host,
                                                    const std::optional<std::string>& name);

// The value of x-ignored-fields for names from a client; "" for none.
std::string ignored_fields_header(const std::vector<std::string>& names);

}  // namespace llama_gpu::server
