// SPDX-License-Identifier: Apache-2.0
// A worker process around a FakeEngine, or a real one on the reference backend (mode "engine"):
// supervisor_test_worker MODE [VERSION], its socket at descriptor 3.
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include "ops/reference/reference_backend.h"
#include "supervisor/engine_fake.h"
#include "supervisor/engine_worker_process.h"
#include "supervisor/worker_process.h"

namespace {

using namespace llama_gpu;
using namespace llama_gpu::supervisor;

void send_raw(std::string_view bytes) {
  (void)::send(kWorkerSocketFd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

// What a worker that lost its mind may do, by name of "!call NAME".
FakeEngine::Hooks hooks() {
  return {
      {"junk", [] { send_raw(std::string(64, '\xee')); }},
      {"gigabyte", [] { send_raw(std::string("\x00\x00\x00\x40\x01", 5)); }},
      {"unasked",
       [] {
         const std::string answer = R"({"jsonrpc":"2.0","id":999999,"result":{"text":{"text":""}}})";
         send_raw(encode_frame(FrameKind::kControl, answer).value());
       }},
      {"close", [] { ::shutdown(kWorkerSocketFd, SHUT_RDWR); }},
      {"no_memory", [] { throw std::bad_alloc(); }},
      {"new_throws",
       [] {
         if (std::get_new_handler() != nullptr) std::abort();
       }},
      {"chatter",
       [] {
         for (int i = 0; i < 100'000; ++i)
           std::fprintf(stderr, "line %d of a worker that talks too much\n", i);
       }},
  };
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "serve";
  const std::string version = argc > 2 ? argv[2] : "test";
  std::fprintf(stderr, "test worker in mode %s\n", argv[1]);
  if (mode == "mute") {
    // Alive, says nothing, and does not care for SIGTERM.
    become_worker_process();
    ::signal(SIGTERM, SIG_IGN);
    for (;;) ::pause();
  }
  if (mode == "exit") return 3;
  if (mode == "engine") {
    BackendRegistry backends;
    backends.add("reference", make_reference_backend);
    return run_engine_worker(kWorkerSocketFd, backends, version);
  }
  const auto load = [](const engine::EngineOptions& options, engine::GenerationListener& listener) {
    return FakeEngine::load(options, listener, hooks());
  };
  return run_engine_worker(kWorkerSocketFd, load, version);
}
