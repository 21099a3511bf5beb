// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/generation.h"
#include "supervisor/model_host.h"

// What the control plane and an engine worker say to each other: JSON-RPC 2.0 in control frames, and one
// binary step frame per engine step. Life of a worker: hello, load, then calls in any order, then stop.
namespace llama_gpu::supervisor {

// Raised whenever a message changes its meaning.
inline constexpr int32_t kEngineProtocolVersion = 3;

// ---- control plane -> worker. Calls are answered by a Reply of the same id; notes are not answered.

// The first message: both sides must be of one protocol and one program version.
struct HelloCall {
  int32_t protocol = kEngineProtocolVersion;
  std::string program;
};

// Loads the model; answered by engine::ModelInfo once it can answer.
struct LoadCall {
  std::string model;
  engine::EngineOptions options;
};

// Answered by engine::SubmitReceipt; news follow in step frames.
struct SubmitCall {
  std::string model;
  engine::GenerationRequest request;
};

// Answered by TokensReply.
struct TokenizeCall {
  std::string model;
  engine::TextPrompt prompt;
  bool with_pieces = false;
};

// Answered by TextReply.
struct DetokenizeCall {
  std::string model;
  std::vector<TokenId> tokens;
};

// Answered by TextReply.
struct ApplyTemplateCall {
  std::string model;
  engine::ChatPrompt prompt;
};

// A note: frees the request's place. News of it that are on their way already still arrive.
struct CancelNote {
  std::string model;
  engine::RequestId request = 0;
};

// A note: ends the worker. `drain`: what runs is finished first, new requests are refused.
struct StopNote {
  bool drain = false;
};

using CallBody = std::variant<HelloCall, LoadCall, SubmitCall, TokenizeCall, DetokenizeCall,
                              ApplyTemplateCall, CancelNote, StopNote>;

// One message to a worker.
struct Call {
  uint64_t id = 0;  // chosen by the caller, never 0; unused in notes
  CallBody body;
};

// ---- worker -> control plane

// To HelloCall.
struct HelloReply {
  int32_t protocol = kEngineProtocolVersion;
  std::string program;
  int64_t pid = 0;
};
// To TokenizeCall.
struct TokensReply {
  TokenizedText text;
};
// To DetokenizeCall and ApplyTemplateCall.
struct TextReply {
  std::string text;
};

using ReplyBody = std::variant<HelloReply, engine::ModelInfo, engine::SubmitReceipt, TokensReply, TextReply>;

// The answer to the call of that id.
struct Reply {
  uint64_t id = 0;
  Result<ReplyBody> body = ReplyBody();
};

// Sent twice a second from the first moment: that it comes shows that the process lives.
struct StatsNote {
  engine::EngineStats stats;  // zeros until the model is loaded
  uint64_t memory_bytes = 0;  // resident
  bool is_draining = false;   // it finishes what runs and takes nothing new: told to by whomever
};

using WorkerMessage = std::variant<Reply, StatsNote>;

// The payload of a control frame. kInvalidValue where a text is not UTF-8 or a number not finite: neither can
// be written as JSON.
Result<std::string> encode_call(const Call& call);
Result<std::string> encode_worker_message(const WorkerMessage& message);

// Reads the payload of a control frame. kProtocolError saying what is wrong with it.
Result<Call> parse_call(std::string_view payload);
Result<WorkerMessage> parse_worker_message(std::string_view payload);

// The payload of a step frame.
std::string encode_step(std::span<const engine::SequenceUpdate> updates);
// Reads the payload of a step frame; kProtocolError with the byte offset.
Result<std::vector<engine::SequenceUpdate>> parse_step(std::string_view payload);

}  // namespace llama_gpu::supervisor
