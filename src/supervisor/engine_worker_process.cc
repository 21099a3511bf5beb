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
#include <exception>
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

// What nobody caught, on any thread.
[[noreturn]] void end_by_exception() {
  try {
    if (const std::exception_ptr uncaught = std::current_exception()) std::rethrow_exception(uncaught);
  } catch (const std::bad_alloc&) {
    end_without_memory();
  } catch (const std::exception& uncaught) {
    log_error("an exception was not caught", {{"reason", uncaught.what()}});
  } catch (...) {
    log_error("something that is no exception was thrown and not caught");
  }
  std::abort();
}

// A load that finds no memory cannot go on. A loaded engine can: the request that finds none ends, and the
// others run on; so from then on a failed `new` throws as it does elsewhere.
EngineLoader throwing_once_loaded(EngineLoader loader) {
  return [loader = std::move(loader)](const engine::EngineOptions& options,
                                      engine::GenerationListener& listener) {
    Result<std::unique_ptr<engine::Engine>> engine = loader(options, listener);
    if (engine.ok()) std::set_new_handler(nullptr);
    return engine;
  };
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
  std::set_terminate(end_by_exception);
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
      fd, throwing_once_loaded(std::move(loader)),
      EngineWorker::Options{.program_version = std::move(program_version), .terminate_fd = terminate.get()});
  // Not for main() to catch, which knows no code for it.
  const int exit_code = [&]() noexcept { return worker->run(); }();
  // A load cannot be interrupted, and nobody waits for it any more.
  if (worker->is_loading()) ::_exit(exit_code);
  return exit_code;
}

}  // namespace llama_gpu::supervisor
