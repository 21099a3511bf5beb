// SPDX-License-Identifier: Apache-2.0
#include "app/fault_report.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

#include "base/result.h"

namespace llama_gpu::app {
namespace {

constexpr std::string_view kCutFile =
    "llama-gpu: a model file was cut short while it was read: put the whole file back, and start again\n";

// Only what may be called in a signal handler.
void on_bus_error(int signal, siginfo_t* info, void*) {
  if (info->si_code != BUS_ADRERR) {
    std::signal(signal, SIG_DFL);
    ::raise(signal);
    return;
  }
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kCutFile.data(), kCutFile.size());
  ::_exit(error_code_info(ErrorCode::kModelChanged).exit_code);
}

}  // namespace

void report_cut_files() {
  struct sigaction action{};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace llama_gpu::app
