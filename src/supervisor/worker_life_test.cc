// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker_life.h"

#include <gmock/gmock.h>

#include <csignal>

namespace llama_gpu::supervisor {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = WorkerAction::Kind;

const WorkerAction kSpawn{Kind::kSpawn};
const WorkerAction kLoad{Kind::kLoad};
const WorkerAction kDrain{Kind::kDrain};

WorkerAction sends(int signal) { return {Kind::kSignal, signal}; }

// A worker, and a clock that stands still between its events.
class WorkerLifeTest : public testing::Test {
 protected:
  // Ticks every 100 ms; returns all that was asked for meanwhile.
  WorkerActions pass(milliseconds duration) {
    WorkerActions all;
    for (milliseconds passed{0}; passed < duration; passed += 100ms) {
      now_ += 100ms;
      for (WorkerAction& action : life_.on_tick(now_)) all.push_back(std::move(action));
    }
    return all;
  }
  // The same, with a heartbeat at every tick.
  WorkerActions pass_alive(milliseconds duration, bool is_busy = false, uint64_t steps_each = 1) {
    WorkerActions all;
    for (milliseconds passed{0}; passed < duration; passed += 100ms) {
      life_.on_heartbeat(now_, is_busy, progress_ += steps_each);
      for (WorkerAction& action : pass(100ms)) all.push_back(std::move(action));
    }
    return all;
  }
  void start() {
    EXPECT_THAT(life_.on_tick(now_), ElementsAre(kSpawn));
    become_ready();
  }
  void become_ready() {
    EXPECT_THAT(life_.on_greeted(now_), ElementsAre(kLoad));
    EXPECT_THAT(life_.on_loaded(now_), IsEmpty());
    EXPECT_EQ(life_.state(), WorkerState::kReady);
  }
  // Ends a ready worker so often; how long it takes each time until it is started again.
  std::vector<milliseconds> waits_after_ends(int count, int signal) {
    std::vector<milliseconds> waits;
    for (int i = 0; i < count; ++i) {
      crash(signal);
      milliseconds waited{100};
      while (pass(100ms).empty()) waited += 100ms;
      waits.push_back(waited);
      become_ready();
    }
    return waits;
  }
  void crash(int signal = SIGSEGV) { life_.on_exit(now_, {.signal = signal, .log_tail = "last words"}); }

  SteadyTime now_ = SteadyTime(1h);
  uint64_t progress_ = 0;
  WorkerLife life_{WorkerPolicy{}, now_};
};

TEST_F(WorkerLifeTest, GoesFromStartToReady) {
  EXPECT_EQ(life_.state(), WorkerState::kStarting);
  EXPECT_THAT(life_.on_tick(now_), ElementsAre(kSpawn));
  EXPECT_THAT(life_.on_tick(now_), IsEmpty());
  EXPECT_THAT(life_.on_greeted(now_), ElementsAre(kLoad));
  EXPECT_EQ(life_.state(), WorkerState::kLoading);
  EXPECT_FALSE(life_.is_ready());
  EXPECT_THAT(life_.on_loaded(now_), IsEmpty());
  EXPECT_TRUE(life_.is_ready());
  EXPECT_EQ(life_.restarts(), 0);
  EXPECT_FALSE(life_.last_exit().has_value());
}

TEST_F(WorkerLifeTest, IgnoresMessagesThatComeInTheWrongState) {
  EXPECT_THAT(life_.on_loaded(now_), IsEmpty());
  EXPECT_EQ(life_.state(), WorkerState::kStarting);
  start();
  EXPECT_THAT(life_.on_greeted(now_), IsEmpty());
  EXPECT_EQ(life_.state(), WorkerState::kReady);
}

TEST_F(WorkerLifeTest, ComesBackAfterACrashWithItsExitKept) {
  start();

  crash(SIGSEGV);

  EXPECT_EQ(life_.state(), WorkerState::kBackoff);
  EXPECT_FALSE(life_.is_ready());
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kCrashed);
  EXPECT_EQ(life_.last_exit()->signal, SIGSEGV);
  EXPECT_EQ(life_.last_exit()->log_tail, "last words");
  EXPECT_TRUE(life_.failed_by_itself());
  EXPECT_EQ(life_.until_next_tick(), 100ms);
  EXPECT_THAT(pass(100ms), ElementsAre(kSpawn));
  become_ready();
  EXPECT_EQ(life_.restarts(), 1);
}

TEST_F(WorkerLifeTest, WaitsTwiceAsLongAfterEachEndInARowUpToABoundAndIsNeverGivenUp) {
  start();

  // From outside.
  EXPECT_THAT(waits_after_ends(12, SIGKILL), ElementsAre(100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms,
                                                         12800ms, 25600ms, 30s, 30s, 30s));
  // By itself: a request may be the cause.
  EXPECT_THAT(waits_after_ends(100, SIGSEGV), testing::Each(60s));
}

TEST_F(WorkerLifeTest, StartsOverWithTheFirstWaitOnceItHasProvenItself) {
  start();
  for (int i = 0; i < 3; ++i) {
    crash(SIGKILL);
    pass(1s);
    become_ready();
  }

  pass_alive(10s);
  crash(SIGKILL);

  EXPECT_EQ(life_.until_next_tick(), 100ms);
}

TEST_F(WorkerLifeTest, IsNotToBlameForAKillFromOutside) {
  start();
  crash(SIGKILL);
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kCrashed);
  EXPECT_FALSE(life_.failed_by_itself());
}

TEST_F(WorkerLifeTest, IsOutOfMemoryWhenTheSystemKilledForMemoryOrItSaysSo) {
  start();
  life_.on_exit(now_, {.signal = SIGKILL, .was_out_of_memory = true});
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kOutOfMemory);
  EXPECT_TRUE(life_.failed_by_itself());

  pass(100ms);
  become_ready();
  life_.on_exit(now_, {.exit_code = 71});
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kOutOfMemory);

  pass(200ms);
  life_.on_greeted(now_);
  life_.on_load_failed(now_, Error{ErrorCode::kOutOfMemory, "needs 9 GiB"});
  life_.on_exit(now_, {.exit_code = 71});
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kOutOfMemory);
  EXPECT_EQ(life_.last_exit()->message, "needs 9 GiB");
  EXPECT_EQ(life_.state(), WorkerState::kBackoff);
}

TEST_F(WorkerLifeTest, IsGivenUpAtOnceForAModelThatCannotBeLoaded) {
  life_.on_tick(now_);
  life_.on_greeted(now_);

  EXPECT_THAT(life_.on_load_failed(now_, Error{ErrorCode::kModelInvalid, "no magic"}), IsEmpty());
  life_.on_exit(now_, {.exit_code = 66});

  EXPECT_EQ(life_.state(), WorkerState::kFailed);
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kLoadFailed);
  EXPECT_EQ(life_.last_exit()->message, "no magic");
}

TEST_F(WorkerLifeTest, IsKilledAtOnceInWhateverStateItIs) {
  EXPECT_THAT(life_.on_kill(now_), IsEmpty());
  EXPECT_EQ(life_.state(), WorkerState::kStopped);

  life_ = WorkerLife(WorkerPolicy{}, now_);
  start();
  EXPECT_THAT(life_.on_stop(now_), ElementsAre(kDrain));
  EXPECT_THAT(life_.on_kill(now_), ElementsAre(sends(SIGKILL)));
  EXPECT_THAT(life_.on_kill(now_), IsEmpty());
  EXPECT_THAT(pass(20s), IsEmpty());
  life_.on_exit(now_, {.signal = SIGKILL});

  EXPECT_TRUE(life_.is_over());
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kStopped);
}

TEST_F(WorkerLifeTest, SaysInWordsHowItEnded) {
  const auto message_of = [&](const ProcessEnd& end) {
    life_ = WorkerLife(WorkerPolicy{}, now_);
    life_.on_tick(now_);
    life_.on_greeted(now_);
    life_.on_exit(now_, end);
    EXPECT_EQ(life_.last_exit()->kind, ExitKind::kCrashed);
    EXPECT_EQ(life_.state(), WorkerState::kBackoff);
    return life_.last_exit()->message;
  };

  EXPECT_THAT(message_of({.signal = SIGBUS}),
              HasSubstr("its model file was cut or changed while it was read"));
  EXPECT_THAT(message_of({.exit_code = 66}), HasSubstr("its model file was cut or changed"));
  EXPECT_EQ(message_of({.signal = SIGSEGV}), "it was ended by SIGSEGV");
  EXPECT_EQ(message_of({.signal = SIGRTMIN}), "it was ended by signal " + std::to_string(SIGRTMIN));
  EXPECT_EQ(message_of({.exit_code = 3}), "it exited with code 3");
  EXPECT_EQ(message_of({}), "it exited by itself");
}

TEST_F(WorkerLifeTest, TriesAgainAtOnceWhenTheFileOfAModelThatCouldNotBeLoadedHasChanged) {
  EXPECT_THAT(life_.on_file_changed(now_), IsEmpty());
  life_.on_tick(now_);
  life_.on_greeted(now_);
  life_.on_load_failed(now_, Error{ErrorCode::kModelInvalid, "no magic"});
  life_.on_exit(now_, {.exit_code = 66});
  EXPECT_THAT(pass(1min), IsEmpty());

  EXPECT_THAT(life_.on_file_changed(now_), ElementsAre(kSpawn));

  EXPECT_EQ(life_.state(), WorkerState::kStarting);
  EXPECT_EQ(life_.restarts(), 1);
  become_ready();
}

TEST_F(WorkerLifeTest, IsNotStartedForAFileOnceItMayEnd) {
  life_.on_tick(now_);
  life_.on_greeted(now_);
  life_.on_load_failed(now_, Error{ErrorCode::kModelInvalid, "no magic"});
  life_.on_exit(now_, {.exit_code = 66});
  life_.let_end();
  EXPECT_THAT(life_.on_file_changed(now_), IsEmpty());
}

TEST_F(WorkerLifeTest, TriesAgainForAModelFileThatIsNotThereAndForMemoryWithoutEnd) {
  life_.on_tick(now_);
  for (int i = 0; i < 100; ++i) {
    const bool is_memory = i % 2 == 1;
    life_.on_greeted(now_);
    life_.on_load_failed(now_, Error{is_memory ? ErrorCode::kOutOfMemory : ErrorCode::kFileNotFound, "gone"});
    life_.on_exit(now_, {.exit_code = is_memory ? 71 : 66});
    ASSERT_EQ(life_.state(), WorkerState::kBackoff) << i;
    ASSERT_THAT(pass(30s), ElementsAre(kSpawn)) << i;
  }
}

TEST_F(WorkerLifeTest, IsKilledWhenItDoesNotExitAfterAFailedLoad) {
  life_.on_tick(now_);
  life_.on_greeted(now_);
  life_.on_load_failed(now_, Error{ErrorCode::kModelInvalid, "no magic"});

  EXPECT_THAT(pass(3s), ElementsAre(sends(SIGKILL)));
  life_.on_exit(now_, {.signal = SIGKILL});

  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kLoadFailed);
}

TEST_F(WorkerLifeTest, IsNotReadyWhileSilentAndReadyOnceItIsHeardAgain) {
  start();
  pass(1500ms);
  EXPECT_FALSE(life_.is_ready());
  EXPECT_EQ(life_.state(), WorkerState::kReady);

  life_.on_heartbeat(now_, false, 1);

  EXPECT_TRUE(life_.is_ready());
}

TEST_F(WorkerLifeTest, IsAbortedThenKilledWhenItIsSilentForTooLong) {
  start();
  EXPECT_THAT(pass(34900ms), IsEmpty());

  const WorkerActions actions = pass(100ms);
  ASSERT_THAT(actions, ElementsAre(sends(SIGABRT)));
  EXPECT_THAT(actions[0].reason, HasSubstr("no heartbeat for 35"));
  EXPECT_THAT(pass(5s), ElementsAre(sends(SIGKILL)));
  life_.on_exit(now_, {.signal = SIGKILL});

  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kHung);
  EXPECT_TRUE(life_.failed_by_itself());
}

TEST_F(WorkerLifeTest, ForgivesSilenceInWhichTheSupervisorDidNotRunItself) {
  start();
  now_ += 10min;
  EXPECT_THAT(life_.on_tick(now_), IsEmpty());
  EXPECT_TRUE(life_.is_ready());
}

TEST_F(WorkerLifeTest, ForgivesAClockThatSeemsToGoBack) {
  start();
  now_ -= 10s;
  EXPECT_THAT(life_.on_tick(now_), IsEmpty());
  EXPECT_TRUE(life_.is_ready());
}

TEST_F(WorkerLifeTest, IsHungWhenItIsBusyButNoStepEnds) {
  start();
  EXPECT_THAT(pass_alive(179s, /*is_busy=*/true, /*steps_each=*/0), IsEmpty());
  EXPECT_THAT(pass_alive(2s, /*is_busy=*/true, /*steps_each=*/0), ElementsAre(sends(SIGABRT)));
}

TEST_F(WorkerLifeTest, IsNotHungWhenStepsEndOrNothingRuns) {
  start();
  EXPECT_THAT(pass_alive(10min, /*is_busy=*/true, /*steps_each=*/1), IsEmpty());
  EXPECT_THAT(pass_alive(10min, /*is_busy=*/false, /*steps_each=*/0), IsEmpty());
}

TEST_F(WorkerLifeTest, IsAbortedWhenItNeverSaysHelloOrNeverLoads) {
  life_.on_tick(now_);
  EXPECT_THAT(pass(30s), ElementsAre(sends(SIGABRT)));
  life_.on_exit(now_, {.signal = SIGABRT});
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kHung);

  pass(100ms);
  life_.on_greeted(now_);
  EXPECT_THAT(pass_alive(15min), ElementsAre(sends(SIGABRT)));
}

TEST_F(WorkerLifeTest, IsKilledWhenItBreaksTheProtocol) {
  start();

  EXPECT_THAT(life_.on_fault(now_, Error{ErrorCode::kProtocolError, "a frame claims 0 bytes"}),
              ElementsAre(sends(SIGKILL)));
  EXPECT_FALSE(life_.is_ready());
  EXPECT_THAT(life_.on_fault(now_, Error{ErrorCode::kProtocolError, "again"}), IsEmpty());
  life_.on_exit(now_, {.signal = SIGKILL});

  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kCrashed);
  EXPECT_EQ(life_.last_exit()->message, "a frame claims 0 bytes");
  EXPECT_TRUE(life_.failed_by_itself());
}

TEST_F(WorkerLifeTest, DrainsThenStops) {
  start();
  EXPECT_THAT(life_.on_stop(now_), ElementsAre(kDrain));
  EXPECT_EQ(life_.state(), WorkerState::kDraining);
  EXPECT_THAT(life_.on_stop(now_), IsEmpty());
  life_.on_exit(now_, {.exit_code = 0});

  EXPECT_TRUE(life_.is_over());
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kStopped);
  EXPECT_THAT(pass(1min), IsEmpty());
}

TEST_F(WorkerLifeTest, IsTerminatedThenKilledWhenItDoesNotDrain) {
  start();
  life_.on_stop(now_);
  EXPECT_THAT(pass(1min), ElementsAre(sends(SIGTERM), sends(SIGKILL)));
  life_.on_exit(now_, {.signal = SIGKILL});
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kStopped);
  EXPECT_TRUE(life_.is_over());
}

TEST_F(WorkerLifeTest, IsNotReadyWhileItDrainsForOthersAndIsReplaced) {
  start();
  pass_alive(1s);

  EXPECT_THAT(life_.on_draining(now_), IsEmpty());

  EXPECT_EQ(life_.state(), WorkerState::kDraining);
  EXPECT_FALSE(life_.is_ready());
  EXPECT_THAT(pass_alive(10min, /*is_busy=*/true), IsEmpty()) << "what runs may take its time";
  life_.on_exit(now_, {.exit_code = kExitAfterSigterm});
  EXPECT_EQ(life_.state(), WorkerState::kBackoff);
  EXPECT_THAT(pass(100ms), ElementsAre(kSpawn));
  EXPECT_THAT(life_.on_draining(now_), IsEmpty());
  EXPECT_EQ(life_.state(), WorkerState::kStarting);
}

TEST_F(WorkerLifeTest, IsStillWatchedWhileItDrainsForOthersAndMayBeStopped) {
  start();
  life_.on_draining(now_);
  EXPECT_THAT(life_.on_stop(now_), ElementsAre(kDrain));
  EXPECT_THAT(pass(5s), ElementsAre(sends(SIGTERM)));
  life_.on_exit(now_, {.exit_code = kExitAfterSigterm});
  EXPECT_TRUE(life_.is_over());

  life_ = WorkerLife(WorkerPolicy{}, now_);
  start();
  life_.on_draining(now_);
  EXPECT_THAT(pass(35s), ElementsAre(sends(SIGABRT)));
}

TEST_F(WorkerLifeTest, IsTerminatedAtOnceWhileItLoads) {
  life_.on_tick(now_);
  life_.on_greeted(now_);
  EXPECT_THAT(life_.on_stop(now_), ElementsAre(sends(SIGTERM)));
  EXPECT_THAT(pass(1min), ElementsAre(sends(SIGKILL)));
}

TEST_F(WorkerLifeTest, StopsAtOnceWhereNothingRuns) {
  start();
  crash();
  EXPECT_THAT(life_.on_stop(now_), IsEmpty());
  EXPECT_TRUE(life_.is_over());
}

TEST_F(WorkerLifeTest, IsNotStartedAgainOnceItMayEnd) {
  start();
  life_.let_end();
  EXPECT_EQ(life_.state(), WorkerState::kReady);
  crash();
  EXPECT_TRUE(life_.is_over());
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kCrashed);
  EXPECT_THAT(pass(1min), IsEmpty());
}

TEST_F(WorkerLifeTest, IsOverAtOnceWhenItMayEndWhileItWaitsForARestart) {
  start();
  crash();
  life_.let_end();
  EXPECT_TRUE(life_.is_over());
}

TEST_F(WorkerLifeTest, StopsWhileItIsBeingKilled) {
  start();
  life_.on_fault(now_, Error{ErrorCode::kProtocolError, "junk"});
  EXPECT_THAT(life_.on_stop(now_), IsEmpty());
  crash(SIGKILL);
  EXPECT_TRUE(life_.is_over());
}

TEST_F(WorkerLifeTest, ComesBackWhenSomebodyElseStoppedIt) {
  start();
  for (const ProcessEnd& end : {ProcessEnd{.signal = SIGTERM}, ProcessEnd{.exit_code = kExitAfterSigterm}}) {
    life_.on_exit(now_, end);
    EXPECT_EQ(life_.last_exit()->kind, ExitKind::kStopped);
    EXPECT_FALSE(life_.failed_by_itself());
    EXPECT_THAT(pass(200ms), ElementsAre(kSpawn));
    become_ready();
  }
}

TEST_F(WorkerLifeTest, HasFailedWhenItExitsWithoutHavingBeenTold) {
  start();
  life_.on_exit(now_, {.exit_code = 0});
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kCrashed);
  EXPECT_TRUE(life_.failed_by_itself());
}

TEST_F(WorkerLifeTest, TriesAgainWithoutEndWhereNoProcessCanBeStarted) {
  life_.on_tick(now_);
  for (int i = 0; i < 100; ++i) {
    life_.on_spawn_failed(now_, Error{ErrorCode::kIoFailed, "no more processes"});
    ASSERT_EQ(life_.state(), WorkerState::kBackoff);
    ASSERT_THAT(pass(30s), ElementsAre(kSpawn)) << i;
  }
  EXPECT_EQ(life_.last_exit()->kind, ExitKind::kNotStarted);
  EXPECT_EQ(life_.last_exit()->message, "no more processes");
  EXPECT_FALSE(life_.failed_by_itself());
}

}  // namespace
}  // namespace llama_gpu::supervisor
