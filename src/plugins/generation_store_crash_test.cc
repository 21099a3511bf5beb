// SPDX-License-Identifier: Apache-2.0
// Ends the process, or fails, at every step that the store takes on the disk, and looks at what is left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/temporary_folder_fake.h"
#include "plugins/generation_store.h"
#include "plugins/package_fixture.h"
#include "plugins/store_steps.h"

namespace llama_gpu::plugins {
namespace {

namespace fs = std::filesystem;
using Mode = GenerationStore::Mode;

constexpr int64_t kThen = 1'800'000'000;
const std::string kBadDigest(64, 'b');

// Runs `body` in a process of its own; returns how that ended, as waitpid tells it.
int run_in_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  CHECK(child >= 0, "a test cannot fork");
  if (child == 0) {
    const rlimit no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    body();
    ::_exit(0);
  }
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child, "a test lost its child");
  return status;
}

// As `cp -a`, without waiting for the disk; read-only folders are closed once they are filled.
void copy_tree(const fs::path& from, const fs::path& to) {
  fs::create_directory(to);
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    const fs::path target = to / entry.path().filename();
    if (entry.is_directory()) {
      copy_tree(entry.path(), target);
    } else {
      fs::copy_file(entry.path(), target);
    }
  }
  fs::permissions(to, fs::status(from).permissions());
}

// All that a store says of itself.
struct StoreContents {
  Generation current;
  std::vector<QuarantinedPackage> quarantined;
  friend bool operator==(const StoreContents&, const StoreContents&) = default;
};

Result<StoreContents> contents_of(const std::string& folder, Mode mode) {
  TRY(const GenerationStore store, GenerationStore::open(folder, mode));
  return StoreContents{store.current(), store.quarantined()};
}

std::string join_names(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) joined += name + " ";
  return joined;
}

// What an opened store must hold whatever happened before: no rest, each package that a generation names.
void expect_whole(const std::string& folder) {
  Result<GenerationStore> store = GenerationStore::open(folder, Mode::kWrite);
  ASSERT_TRUE(store.ok()) << store.error().message;
  const Result<std::vector<Generation>> generations = store->generations();
  ASSERT_TRUE(generations.ok()) << generations.error().message;
  if (store->current().number > 0) {
    ASSERT_FALSE(generations->empty());
    EXPECT_EQ(generations->back(), store->current());
  }
  for (const Generation& generation : *generations) {
    for (const InstalledPlugin& plugin : generation.plugins) {
      const Status verified = store->verify_package(plugin.digest);
      EXPECT_TRUE(verified.ok()) << generation.number << ": " << verified.error().message;
      EXPECT_EQ(store->package(plugin.digest)->manifest.id, plugin.id);
    }
  }
  for (const char* part : {"", "/packages", "/generations"}) {
    const std::vector<std::string> names = *names_in_store(folder + part);
    for (const std::string& name : names) {
      EXPECT_FALSE(name.ends_with(".new") || name.starts_with(".tmp-")) << join_names(names);
    }
  }
  // And it goes on.
  const uint64_t number = store->current().number;
  const Result<Generation> next = store->commit(store->current().plugins, "go on", kThen + 100);
  ASSERT_TRUE(next.ok()) << next.error().message;
  EXPECT_EQ(next->number, number + 1);
  EXPECT_TRUE(store->collect(2).ok());
}

// A store with three generations, and what can be done to it.
class StoreCrash : public testing::Test {
 protected:
  using Operation = std::function<Status(GenerationStore&)>;

  StoreCrash() {
    GenerationStore store = *GenerationStore::open(original(), Mode::kWrite);
    const InstalledPlugin first = install(store, package("1.0.0"));
    const InstalledPlugin second = install(store, package("1.1.0"));
    const InstalledPlugin words = install(store, package("2.0.0", "acme/words"));
    CHECK(store.commit({first}, "one", kThen).ok(), "no first generation");
    CHECK(store.commit({second, words}, "two", kThen).ok(), "no second generation");
    CHECK(store.commit({second}, "three", kThen).ok(), "no third generation");
    CHECK(store.quarantine({kBadDigest, "acme/bad", "1.0.0", "crashed", kThen}).ok(), "no quarantine");
    update_ = package("1.2.0");
  }

  std::string original() const { return temporary_.path("original"); }

  PluginPackage package(const std::string& version, const std::string& id = "acme/guard") const {
    const std::string folder = temporary_.path("source-" + version);
    write_test_file(folder + "/lib/words/list.txt", "a\nb\n");
    return make_test_package(folder,
                             {.id = id, .version = version, .body = "# " + id + " " + version + "\n"});
  }

  static InstalledPlugin install(GenerationStore& store, const PluginPackage& package) {
    CHECK(store.add_package(package).ok(), "a test's package cannot be added");
    return installed(package);
  }
  static InstalledPlugin installed(const PluginPackage& package) {
    return {.id = package.manifest.id,
            .version = to_string(package.manifest.version),
            .digest = package.digest,
            .is_enabled = true};
  }

  std::map<std::string, Operation> operations() const {
    return {
        {"install",
         [this](GenerationStore& store) -> Status {
           TRY_STATUS(store.add_package(update_));
           TRY(const Generation made, store.commit({installed(update_)}, "install", kThen + 1));
           (void)made;
           return {};
         }},
        {"roll back",
         [](GenerationStore& store) -> Status {
           TRY(const Generation made, store.roll_back_to(1, kThen + 1));
           (void)made;
           return {};
         }},
        {"collect", [](GenerationStore& store) { return store.collect(1); }},
        {"quarantine",
         [this](GenerationStore& store) {
           return store.quarantine({update_.digest, "acme/guard", "1.2.0", "crashed", kThen + 1});
         }},
        {"release", [](GenerationStore& store) { return store.release(kBadDigest); }},
        {"data folder",
         [](GenerationStore& store) -> Status {
           TRY(const std::string folder, store.data_folder("acme/guard"));
           (void)folder;
           return {};
         }},
    };
  }

  // A copy of the store to try something on.
  std::string fresh_copy() {
    const std::string folder = temporary_.path("copy-" + std::to_string(++num_copies_));
    copy_tree(original(), folder);
    return folder;
  }

  // Each failpoint that `act` reaches, with the number of times.
  static std::map<std::string, int> failpoints_of(const std::function<void()>& act) {
    std::string all;
    for (const std::string_view area : kStoreAreas) {
      for (const std::string_view action : kStoreActions) {
        const std::string name = store_step_name(area, action);
        all += name + ".before=sleep:0;" + name + ".after=sleep:0;";
      }
    }
    std::map<std::string, int> reached;
    configure_logging({.sink = [&](std::string_view line) {
      const size_t start = line.find("name=");
      if (start == std::string_view::npos) return;
      const std::string_view name = line.substr(start + 5, line.find(' ', start) - start - 5);
      ++reached[std::string(name)];
    }});
    {
      const ScopedFailpoints traced(all);
      act();
    }
    configure_logging({});
    return reached;
  }

  static Status open_and_do(const std::string& folder, const Operation& operation) {
    TRY(GenerationStore store, GenerationStore::open(folder, Mode::kWrite));
    return operation(store);
  }

  // Ends a process at one failpoint of `operation`; the store must be as before or as after it.
  void end_at(const std::string& spec, const Operation& operation, const StoreContents& after) {
    const StoreContents before = *contents_of(original(), Mode::kRead);
    const std::string folder = fresh_copy();

    const int status = run_in_child([&] {
      const ScopedFailpoints set(spec);
      (void)open_and_do(folder, operation);
    });

    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << "the failpoint was not reached";
    const Result<StoreContents> seen = contents_of(folder, Mode::kRead);
    ASSERT_TRUE(seen.ok()) << seen.error().message;
    EXPECT_TRUE(*seen == before || *seen == after);
    EXPECT_EQ(*contents_of(folder, Mode::kWrite), *seen);
    expect_whole(folder);
  }

  // The same with a step that fails: also the store that goes on must know what is on the disk.
  void fail_at(const std::string& spec, const Operation& operation, const StoreContents& after) {
    const StoreContents before = *contents_of(original(), Mode::kRead);
    const std::string folder = fresh_copy();
    {
      GenerationStore store = *GenerationStore::open(folder, Mode::kWrite);
      Status status;
      {
        const ScopedFailpoints set(spec);
        status = operation(store);
      }

      EXPECT_FALSE(status.ok());
      const StoreContents known{store.current(), store.quarantined()};
      EXPECT_TRUE(known == before || known == after);
      EXPECT_EQ(*contents_of(folder, Mode::kRead), known);
      // Once the disk works again, so does the same store.
      EXPECT_TRUE(operation(store).ok());
    }
    expect_whole(folder);
  }

  TemporaryFolder temporary_;
  PluginPackage update_;
  int num_copies_ = 0;
};

// The first call of a failpoint, the last, and one between.
std::vector<int> calls_to_try(int num_calls) {
  std::vector<int> calls = {1, (num_calls + 1) / 2, num_calls};
  calls.erase(std::unique(calls.begin(), calls.end()), calls.end());
  return calls;
}

// Each operation is a test of its own, so that they run side by side.
class StoreCrashIn : public StoreCrash, public testing::WithParamInterface<const char*> {};

TEST_P(StoreCrashIn, LeavesTheOldOrTheNewSetAtEveryStep) {
  const Operation operation = operations().at(GetParam());
  const std::string done = fresh_copy();
  Status status;
  const auto reached = failpoints_of([&] { status = open_and_do(done, operation); });
  ASSERT_TRUE(status.ok()) << status.error().message;
  const StoreContents after = *contents_of(done, Mode::kRead);
  expect_whole(done);

  EXPECT_FALSE(reached.empty());
  for (const auto& [failpoint, num_calls] : reached) {
    for (const int call : calls_to_try(num_calls)) {
      const std::string at = "@" + std::to_string(call);
      SCOPED_TRACE(failpoint + at);
      end_at(failpoint + "=abort" + at, operation, after);
      fail_at(failpoint + "=error" + at, operation, after);
    }
    SCOPED_TRACE(failpoint);
    fail_at(failpoint + "=error:disk_full", operation, after);
  }
}

INSTANTIATE_TEST_SUITE_P(Operations, StoreCrashIn,
                         testing::Values("install", "roll back", "collect", "quarantine", "release",
                                         "data folder"),
                         [](const testing::TestParamInfo<const char*>& operation) {
                           std::string name = operation.param;
                           std::erase(name, ' ');
                           return name;
                         });

TEST_F(StoreCrash, IsTriedAtMoreThanFortyFailpoints) {
  std::map<std::string, int> all;
  for (const auto& [name, operation] : operations()) {
    const std::string folder = fresh_copy();
    for (const auto& [failpoint, num_calls] :
         failpoints_of([&] { EXPECT_TRUE(open_and_do(folder, operation).ok()); })) {
      all[failpoint] += num_calls;
    }
  }

  EXPECT_GE(all.size(), 40u);
}

// What no change of a whole store passes: the first opening, sweeping, and mending a package.
TEST_F(StoreCrash, IsOpenedAgainAfterTheFirstOpeningEnded) {
  const auto open_new = [&](const std::string& folder) {
    return GenerationStore::open(folder, Mode::kWrite).ok();
  };
  const auto reached = failpoints_of([&] { EXPECT_TRUE(open_new(temporary_.path("new"))); });
  EXPECT_EQ(reached.size(), 4u);

  for (const auto& [failpoint, num_calls] : reached) {
    for (int call = 1; call <= num_calls; ++call) {
      SCOPED_TRACE(failpoint);
      const std::string folder = temporary_.path("new-" + failpoint + std::to_string(call));
      const int status = run_in_child([&] {
        const ScopedFailpoints set(failpoint + "=abort@" + std::to_string(call));
        (void)open_new(folder);
      });
      EXPECT_TRUE(WIFSIGNALED(status));
      expect_whole(folder);
    }
  }
}

TEST_F(StoreCrash, SweepsAgainAfterSweepingEnded) {
  const auto leave_rests = [&](const std::string& folder) {
    write_test_file(folder + "/packages/.tmp-abcdef/bin/guard", "half");
    fs::permissions(folder + "/packages/.tmp-abcdef/bin", fs::perms(0555));
    write_test_file(folder + "/packages/" + kBadDigest + ".list", "");
    write_test_file(folder + "/generations/4.json", "{half");
    write_test_file(folder + "/current.new", "4");
  };
  const std::string first = fresh_copy();
  leave_rests(first);
  const auto reached = failpoints_of([&] { EXPECT_TRUE(GenerationStore::open(first, Mode::kWrite).ok()); });
  ASSERT_EQ(reached.size(), 2u);

  for (const auto& [failpoint, num_calls] : reached) {
    EXPECT_EQ(num_calls, 6);
    for (int call = 1; call <= num_calls; ++call) {
      SCOPED_TRACE(failpoint + "@" + std::to_string(call));
      const std::string folder = fresh_copy();
      leave_rests(folder);
      const int status = run_in_child([&] {
        const ScopedFailpoints set(failpoint + "=abort@" + std::to_string(call));
        (void)GenerationStore::open(folder, Mode::kWrite);
      });
      EXPECT_TRUE(WIFSIGNALED(status));
      EXPECT_EQ(contents_of(folder, Mode::kRead)->current.number, 3u);
      expect_whole(folder);
    }
  }
}

TEST_F(StoreCrash, AlwaysHasAPackageWhileADamagedOneIsMended) {
  const PluginPackage current = package("1.1.0");
  const auto damaged_copy = [&] {
    const std::string folder = fresh_copy();
    const std::string file = folder + "/packages/" + current.digest + "/bin/guard";
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
    write_test_file(file, "damaged\n");
    return folder;
  };
  const Operation mend = [&](GenerationStore& store) { return store.add_package(current); };
  const std::string first = damaged_copy();
  const auto reached = failpoints_of([&] { EXPECT_TRUE(open_and_do(first, mend).ok()); });
  EXPECT_TRUE(reached.contains("plugin_store.package.exchange.before"));

  for (const auto& [failpoint, num_calls] : reached) {
    SCOPED_TRACE(failpoint);
    const std::string folder = damaged_copy();
    const int status = run_in_child([&] {
      const ScopedFailpoints set(failpoint + "=abort@" + std::to_string(num_calls));
      (void)open_and_do(folder, mend);
    });
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_TRUE(fs::exists(folder + "/packages/" + current.digest + "/bin/guard"));
    EXPECT_TRUE(open_and_do(folder, mend).ok());
    expect_whole(folder);
  }
}

// Without failpoints: kill -9 wherever the process happens to be.
TEST_F(StoreCrash, SurvivesKillsAtAnyTime) {
  std::mt19937 random(20260202);
  const std::string folder = fresh_copy();
  for (int round = 0; round < 20; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(pipe_ends[0]);
      GenerationStore store = *GenerationStore::open(folder, Mode::kWrite);
      for (;;) {
        for (const auto& [name, operation] : operations()) {
          (void)(name == "roll back" ? store.roll_back_to(0, kThen).ok() : operation(store).ok());
          if (::write(pipe_ends[1], ".", 1) != 1) ::_exit(1);
        }
      }
    }
    ::close(pipe_ends[1]);
    char dot = 0;
    for (int left = std::uniform_int_distribution<int>(1, 15)(random); left > 0; --left) {
      ASSERT_EQ(::read(pipe_ends[0], &dot, 1), 1);
    }
    // Into the middle of the next operation.
    ::usleep(std::uniform_int_distribution<useconds_t>(0, 3000)(random));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ::close(pipe_ends[0]);

    expect_whole(folder);
  }
}

TEST_F(StoreCrash, IsReadWholeWhileAnotherProcessWrites) {
  const std::string folder = fresh_copy();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    GenerationStore store = *GenerationStore::open(folder, Mode::kWrite);
    for (int i = 0; i < 100; ++i) {
      if (!store.commit(store.current().plugins, "next", kThen).ok() || !store.collect(1).ok()) ::_exit(1);
    }
    ::_exit(0);
  }

  int status = 0;
  uint64_t newest = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    const Result<GenerationStore> store = GenerationStore::open(folder, Mode::kRead);
    EXPECT_TRUE(store.ok()) << store.error().message;
    if (!store.ok()) continue;
    EXPECT_GE(store->current().number, newest);
    newest = store->current().number;
    EXPECT_TRUE(store->generations().ok());
    EXPECT_EQ(store->current().plugins.size(), 1u);
  }

  EXPECT_EQ(status, 0);
  EXPECT_EQ(contents_of(folder, Mode::kRead)->current.number, 103u);
}

}  // namespace
}  // namespace llama_gpu::plugins
