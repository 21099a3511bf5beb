// SPDX-License-Identifier: Apache-2.0
#include "app/interrupts.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>

#include "base/check.h"

namespace llama_gpu::app {
namespace {

// A signal handler takes no argument of ours.
std::atomic<Interrupts*> handler_target{nullptr};

void on_signal(int signal) {
  const int saved_errno = errno;
  if (Interrupts* const target = handler_target) target->raise(signal);
  errno = saved_errno;
}

}  // namespace

Interrupts::Interrupts() : event_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(event_fd_ >= 0, "no file descriptor for signals");
}

Interrupts::~Interrupts() {
  Interrupts* self = this;
  handler_target.compare_exchange_strong(self, nullptr);
  ::close(event_fd_);
}

bool Interrupts::ends_program() const { return signal_ != 0 && signal_ != SIGINT; }

void Interrupts::raise(int signal) {
  signal_ = signal;
  ++count_;
  flag_ = true;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event_fd_, &one, sizeof one);
}

void Interrupts::clear() {
  flag_ = false;
  signal_ = 0;
  count_ = 0;
  wait_for(std::chrono::milliseconds(0));
}

bool Interrupts::wait_for(std::chrono::milliseconds time) {
  pollfd waiting{event_fd_, POLLIN, 0};
  ::poll(&waiting, 1, int(time.count()));
  uint64_t num_signals = 0;
  return ::read(event_fd_, &num_signals, sizeof num_signals) == sizeof num_signals;
}

void install_signal_handlers(Interrupts& interrupts) {
  handler_target = &interrupts;
  struct sigaction action{};
  action.sa_handler = on_signal;
  // Without SA_RESTART, so that a read of the terminal ends.
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  // Whoever started the program with nohup wants it to outlive the terminal.
  struct sigaction inherited{};
  ::sigaction(SIGHUP, nullptr, &inherited);
  if (inherited.sa_handler != SIG_IGN) ::sigaction(SIGHUP, &action, nullptr);
}

}  // namespace llama_gpu::app
