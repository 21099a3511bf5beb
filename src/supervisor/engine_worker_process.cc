// SPDX-License-Identifier: Apache-2.0
#include "supervisor/engine_worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "base/log.h"

namespace llama_gpu::supervisor {
namespace {

// Of -1000 to 1000: well before the control plane, which keeps 0.
constexpr int kOomScoreAdjustment = 500;

// Nothing may be allocated any more.
[[noreturn]] void end_without_memory() {
  constexpr std::string_view kText = "out of memory\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kText.data(), kText.size());
  ::_exit(error_code_info(ErrorCode::kOutOfMemory).exit_code);
}

// SIGTERM as something to poll, in this thread and those it will start.
UniqueFd take_sigterm() {
  sigset_t only;
  ::sigemptyset(&only);
  ::sigaddset(&only, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &only, nullptr);
  return UniqueFd(::signalfd(-1, &only, SFD_CLOEXEC | SFD_NONBLOCK));
}

}  // namespace

void become_worker_process() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int ignored : {SIGINT, SIGHUP, SIGPIPE}) ::signal(ignored, SIG_IGN);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  std::ofstream("/proc/self/oom_score_adj") << kOomScoreAdjustment;
  std::set_new_handler(end_without_memory);
}

int run_engine_worker(int fd, EngineLoader loader, std::string program_version) {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    log_error("a worker is started by the server, not by hand", {{"fd", fd}});
    return error_code_info(ErrorCode::kInvalidValue).exit_code;
  }
  become_worker_process();
  const UniqueFd terminate = take_sigterm();
  std::optional<EngineWorker> worker;
  worker.emplace(
      fd, std::move(loader),
      EngineWorker::Options{.program_version = std::move(program_version), .terminate_fd = terminate.get()});
  const int exit_code = worker->run();
  // A load cannot be interrupted, and nobody waits for it any more.
  if (worker->is_loading()) ::_exit(exit_code);
  return exit_code;
}

}  // namespace llama_gpu::supervisor
