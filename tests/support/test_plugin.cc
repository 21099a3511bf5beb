// SPDX-License-Identifier: Apache-2.0
// A plugin that behaves as its config says, and as a prompt asks it to. It speaks the protocol of
// docs/plugins/protocol.md on descriptor 3.
//
// Config: "append": added to every text; "behaviour": what it does wrong, see below; "slow_ms": before every
// answer to a filter call; "health": "failing".
// Prompts: "!crash", "!exit", "!hang", "!error", "!slow MS", "!reject WHY".
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "supervisor/frame_socket.h"
#include "supervisor/worker_process.h"

namespace {

using namespace llama_gpu::supervisor;
using Json = nlohmann::ordered_json;

std::string behaviour = "good";
std::string data_folder;
Json config = Json::object();
std::vector<std::unique_ptr<char[]>> leaked;

void send_raw(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(kWorkerSocketFd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) std::_Exit(1);
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

void send_json(const Json& json) { send_raw(encode_frame(FrameKind::kControl, json.dump()).value()); }

void answer(const Json& id, Json result) {
  send_json({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}});
}

[[noreturn]] void hang() {
  for (;;) ::pause();
}

void sleep_ms(int64_t milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

// More each time, in an address space of half a gigabyte.
void leak() {
  const rlimit limit{size_t{512} << 20, size_t{512} << 20};
  ::setrlimit(RLIMIT_AS, &limit);
  for (int i = 0; i < 16; ++i) leaked.push_back(std::make_unique<char[]>(size_t{64} << 20));
}

// On both ways at once.
void chatter() {
  for (int i = 0; i < 20'000; ++i) {
    std::fprintf(stderr, "line %d of a plugin that talks too much\n", i);
    send_json({{"jsonrpc", "2.0"},
               {"method", "log"},
               {"params", {{"level", "info"}, {"message", std::string(100, 'x')}}}});
  }
}

void initialize(const Json& id, const Json& params) {
  config = params.at("config");
  data_folder = params.at("data_folder");
  behaviour = config.value("behaviour", "good");
  std::fprintf(stderr, "test plugin %s behaves: %s\n",
               params.at("plugin").at("version").get<std::string>().c_str(), behaviour.c_str());
  if (behaviour == "crash_at_start") std::abort();
  if (behaviour == "exit_at_start") std::_Exit(0);
  if (behaviour == "hang_at_start") hang();
  if (behaviour == "ignores_the_end") ::signal(SIGTERM, SIG_IGN);
  if (behaviour == "error_at_start") {
    return send_json({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", 1}, {"message", "bad config"}}}});
  }
  answer(id, {{"protocol", behaviour == "wrong_protocol" ? 99 : 1},
              {"capabilities", config.value("capabilities", Json::array({"request_filter"}))}});
  send_json(
      {{"jsonrpc", "2.0"}, {"method", "log"}, {"params", {{"level", "info"}, {"message", "said hello"}}}});
}

void self_test(const Json& id) {
  if (behaviour == "crash_in_self_test") std::abort();
  if (behaviour == "hang_in_self_test") hang();
  if (behaviour == "fails_self_test") return answer(id, {{"ok", false}, {"reason", "its teeth hurt"}});
  answer(id, {{"ok", true}});
  if (behaviour == "crash_when_idle") std::abort();
}

void health(const Json& id) {
  if (behaviour == "bad_health") return answer(id, {{"status", 3}});
  if (config.value("health", "ok") == "ok") return answer(id, {{"status", "ok"}});
  answer(id, {{"status", "failing"}, {"reason", "the disk is full"}});
}

// True where it did something else than answering.
bool misbehave(const std::string& how, const Json& id) {
  if (how == "crash_on_call") std::abort();
  if (how == "exit_on_call") std::_Exit(0);
  if (how == "hang_on_call") hang();
  if (how == "leaks") leak();
  if (how == "garbage") return send_raw(std::string(64, '\xee')), true;
  if (how == "not_json") return send_raw(encode_frame(FrameKind::kControl, "{").value()), true;
  if (how == "huge_frame") return send_raw(std::string("\x00\x00\x00\x40\x01", 5)), true;
  if (how == "wrong_id") return answer(999'999, {{"action", "pass"}}), true;
  if (how == "bad_verdict") return answer(id, {{"action", "perhaps"}}), true;
  if (how == "step_frame") return send_raw(encode_frame(FrameKind::kStep, "x").value()), true;
  if (how == "closes_socket") return ::shutdown(kWorkerSocketFd, SHUT_RDWR), true;
  if (how == "chatters") chatter();
  if (how == "reply_twice") answer(id, {{"action", "pass"}});
  if (how == "error_on_call") {
    send_json({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", 1}, {"message", "it does not like it"}}}});
    return true;
  }
  return false;
}

// True where the prompt was answered.
bool obey(const std::string& text, const Json& id) {
  if (text == "!crash") std::abort();
  if (text == "!exit") std::_Exit(3);
  if (text == "!hang") hang();
  if (text == "!error") return misbehave("error_on_call", id);
  if (text.starts_with("!slow ")) sleep_ms(std::atoll(text.c_str() + std::strlen("!slow ")));
  if (!text.starts_with("!reject ")) return false;
  answer(id, {{"action", "reject"}, {"reason", text.substr(std::strlen("!reject "))}});
  return true;
}

void filter(const Json& id, const Json& params) {
  if (misbehave(behaviour, id)) return;
  sleep_ms(config.value("slow_ms", 0));
  const std::string append = config.value("append", "");
  const bool is_chat = params.contains("messages");
  const std::string first =
      is_chat ? params["messages"].front().value("content", "") : params["prompt"].get<std::string>();
  if (obey(first, id)) return;
  if (append.empty()) return answer(id, {{"action", "pass"}});
  Json result = {{"action", "replace"}};
  if (is_chat) {
    result["messages"] = params["messages"];
    for (Json& message : result["messages"]) message["content"] = message.value("content", "") + append;
  } else {
    result["prompt"] = first + append;
  }
  answer(id, std::move(result));
}

void handle(const Json& message) {
  const std::string method = message.at("method");
  const Json id = message.value("id", Json());
  const Json params = message.value("params", Json::object());
  if (method == "initialize") initialize(id, params);
  if (method == "self_test") self_test(id);
  if (method == "health") health(id);
  if (method == "request_filter") filter(id, params);
  if (method == "event") std::ofstream(data_folder + "/events.jsonl", std::ios::app) << params.dump() << "\n";
  if (method == "shutdown" && behaviour != "ignores_the_end") std::_Exit(0);
}

}  // namespace

int main() {
  FrameDecoder decoder;
  std::vector<char> bytes(64 << 10);
  for (;;) {
    const ssize_t got = ::read(kWorkerSocketFd, bytes.data(), bytes.size());
    if (got <= 0 && behaviour == "ignores_the_end") hang();
    if (got <= 0) return 0;
    decoder.append({bytes.data(), static_cast<size_t>(got)});
    while (const auto frame = decoder.next().value()) handle(Json::parse(frame->payload));
  }
}
