// SPDX-License-Identifier: Apache-2.0
#include "app/interrupts.h"

#include <gtest/gtest.h>

#include <csignal>

namespace llama_gpu::app {
namespace {

using std::chrono::milliseconds;

TEST(Interrupts, RememberTheLastSignalUntilTheyAreCleared) {
  Interrupts interrupts;
  EXPECT_FALSE(interrupts.wait_for(milliseconds(0)));

  interrupts.raise(SIGINT);
  interrupts.raise(SIGTERM);

  EXPECT_TRUE(interrupts.flag());
  EXPECT_EQ(interrupts.signal(), SIGTERM);
  EXPECT_EQ(interrupts.count(), 2);
  EXPECT_TRUE(interrupts.wait_for(milliseconds(1000)));
  EXPECT_FALSE(interrupts.wait_for(milliseconds(0)));
  interrupts.raise(SIGINT);
  interrupts.clear();
  EXPECT_FALSE(interrupts.flag());
  EXPECT_EQ(interrupts.count(), 0);
  EXPECT_FALSE(interrupts.wait_for(milliseconds(0)));
}

TEST(Interrupts, HearTheSignalsOfTheProcess) {
  struct sigaction old_int{}, old_term{}, old_hup{};
  ::sigaction(SIGHUP, nullptr, &old_hup);
  ::signal(SIGHUP, SIG_DFL);  // the test itself may run under nohup
  ::sigaction(SIGINT, nullptr, &old_int);
  ::sigaction(SIGTERM, nullptr, &old_term);
  {
    Interrupts interrupts;
    install_signal_handlers(interrupts);
    ::raise(SIGTERM);
    EXPECT_EQ(interrupts.signal(), SIGTERM);
    ::raise(SIGHUP);
    EXPECT_EQ(interrupts.signal(), SIGHUP);
    EXPECT_TRUE(interrupts.ends_program());
    ::raise(SIGINT);
    EXPECT_FALSE(interrupts.ends_program());
  }
  ::raise(SIGINT);  // after its end nobody listens, and nothing breaks
  ::sigaction(SIGINT, &old_int, nullptr);
  ::sigaction(SIGTERM, &old_term, nullptr);
  ::sigaction(SIGHUP, &old_hup, nullptr);
}

TEST(Interrupts, LeaveAHangupIgnoredThatIsIgnored) {
  struct sigaction old_int{}, old_term{}, now{};
  ::sigaction(SIGINT, nullptr, &old_int);
  ::sigaction(SIGTERM, nullptr, &old_term);
  const auto old_hup = ::signal(SIGHUP, SIG_IGN);

  Interrupts interrupts;
  install_signal_handlers(interrupts);

  ::sigaction(SIGHUP, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_IGN);
  ::signal(SIGHUP, old_hup);
  ::sigaction(SIGINT, &old_int, nullptr);
  ::sigaction(SIGTERM, &old_term, nullptr);
}

}  // namespace
}  // namespace llama_gpu::app
