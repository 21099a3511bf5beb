// SPDX-License-Identifier: Apache-2.0
#include "plugins/generation_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/failpoint.h"
#include "base/file.h"
#include "base/temporary_folder_fake.h"
#include "plugins/package_fixture.h"

namespace llama_gpu::plugins {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Mode = GenerationStore::Mode;

constexpr int64_t kNow = 1'800'000'000;

class GenerationStoreTest : public testing::Test {
 protected:
  std::string folder() const { return temporary_.path("store"); }
  std::string path(const std::string& name) const { return folder() + "/" + name; }

  GenerationStore open(Mode mode = Mode::kWrite) const {
    Result<GenerationStore> store = GenerationStore::open(folder(), mode);
    CHECK(store.ok(), "a test's store cannot be opened");
    return *std::move(store);
  }

  // The error of a store that cannot be opened.
  Error open_error(Mode mode = Mode::kWrite) const {
    const Result<GenerationStore> store = GenerationStore::open(folder(), mode);
    EXPECT_FALSE(store.ok());
    return store.ok() ? Error{} : store.error();
  }

  PluginPackage package(const std::string& version, const std::string& id = "acme/guard") const {
    return make_test_package(temporary_.path("source-" + version),
                             {.id = id, .version = version, .body = "# " + id + " " + version + "\n"});
  }

  // A plugin whose package is put into the store.
  InstalledPlugin installed(GenerationStore& store, const std::string& version,
                            const std::string& id = "acme/guard") const {
    const PluginPackage made = package(version, id);
    EXPECT_TRUE(store.add_package(made).ok());
    return {.id = id, .version = version, .digest = made.digest, .is_enabled = true};
  }

  void corrupt(const std::string& file, const std::string& contents) const {
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
    write_test_file(file, contents);
  }

  TemporaryFolder temporary_;
};

TEST_F(GenerationStoreTest, IsEmptyAtFirst) {
  const GenerationStore store = open();

  EXPECT_EQ(store.current(), Generation{});
  EXPECT_THAT(*store.generations(), IsEmpty());
  EXPECT_THAT(store.quarantined(), IsEmpty());
}

TEST_F(GenerationStoreTest, MayBeReadWhereThereIsNone) {
  const GenerationStore store = open(Mode::kRead);

  EXPECT_EQ(store.current(), Generation{});
  EXPECT_THAT(*store.generations(), IsEmpty());
  EXPECT_FALSE(fs::exists(folder()));
}

TEST_F(GenerationStoreTest, KeepsWhatWasCommitted) {
  Generation committed;
  {
    GenerationStore store = open();
    InstalledPlugin words = installed(store, "2.0.0", "acme/words");
    words.config = R"({"words": ["a"]})";
    words.permissions = {.read_paths = {"/etc"}, .write_paths = {}, .network = true};
    words.is_pinned = true;
    const Result<Generation> made =
        store.commit({words, installed(store, "1.0.0")}, "install \xff acme/guard 1.0.0", kNow);
    ASSERT_TRUE(made.ok()) << made.error().message;
    committed = *made;
    EXPECT_EQ(store.current(), committed);
  }

  EXPECT_EQ(committed.number, 1u);
  EXPECT_EQ(committed.parent, 0u);
  EXPECT_EQ(committed.created_unix_seconds, kNow);
  EXPECT_EQ(committed.reason, "install \xef\xbf\xbd acme/guard 1.0.0");
  ASSERT_EQ(committed.plugins.size(), 2u);
  EXPECT_EQ(committed.plugins[0].id, "acme/guard");
  EXPECT_EQ(committed.find("acme/words"), &committed.plugins[1]);
  EXPECT_EQ(committed.find("acme/nothing"), nullptr);
  EXPECT_EQ(open().current(), committed);
  EXPECT_EQ(open(Mode::kRead).current(), committed);
}

TEST_F(GenerationStoreTest, ListsItsGenerationsAndGoesBackToOne) {
  GenerationStore store = open();
  const InstalledPlugin old_guard = installed(store, "1.0.0");
  ASSERT_TRUE(store.commit({old_guard}, "install", kNow).ok());
  ASSERT_TRUE(store.commit({installed(store, "1.1.0")}, "update", kNow + 1).ok());

  const Result<Generation> back = store.roll_back_to(1, kNow + 2);

  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->number, 3u);
  EXPECT_EQ(back->parent, 2u);
  EXPECT_EQ(back->reason, "roll back to generation 1");
  EXPECT_THAT(back->plugins, ElementsAre(old_guard));
  const std::vector<Generation> all = *store.generations();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].reason, "install");
  EXPECT_EQ(all[2], *back);

  EXPECT_THAT(store.roll_back_to(0, kNow)->plugins, IsEmpty());
  EXPECT_EQ(store.roll_back_to(9, kNow).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.current().number, 4u);
}

TEST_F(GenerationStoreTest, RefusesToCommitWhatItCouldNotReadAgain) {
  GenerationStore store = open();
  const InstalledPlugin good = installed(store, "1.0.0");
  const auto refusal = [&](auto change) {
    InstalledPlugin plugin = good;
    change(plugin);
    const Result<Generation> made = store.commit({plugin}, "bad", kNow);
    EXPECT_FALSE(made.ok());
    return made.ok() ? ErrorCode::kInternal : made.error().code;
  };

  EXPECT_EQ(refusal([](auto& plugin) { plugin.id = "../x"; }), ErrorCode::kInvalidValue);
  EXPECT_EQ(refusal([](auto& plugin) { plugin.version = "1"; }), ErrorCode::kInvalidValue);
  EXPECT_EQ(refusal([](auto& plugin) { plugin.digest = ".."; }), ErrorCode::kInvalidValue);
  EXPECT_EQ(refusal([](auto& plugin) { plugin.config = "7"; }), ErrorCode::kInvalidValue);
  EXPECT_EQ(refusal([](auto& plugin) { plugin.config = "{\"a\":\"" + std::string(17 << 20, 'a') + "\"}"; }),
            ErrorCode::kInvalidValue);
  EXPECT_EQ(refusal([](auto& plugin) { plugin.digest = std::string(64, 'a'); }), ErrorCode::kNotFound);
  EXPECT_EQ(store.commit({good, good}, "twice", kNow).error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(store.current().number, 0u);
  EXPECT_EQ(open(Mode::kRead).current().number, 0u);
}

TEST_F(GenerationStoreTest, PutsTheOldGenerationBackWhereACommitFailsLate) {
  GenerationStore store = open();
  {
    const ScopedFailpoints late("plugin_store.current.rename.after=error");
    EXPECT_FALSE(store.commit({}, "first", kNow).ok());
  }
  EXPECT_EQ(store.current(), Generation{});
  EXPECT_EQ(open(Mode::kRead).current(), Generation{});
  EXPECT_TRUE(fs::is_empty(path("generations")));

  const Generation first = *store.commit({}, "first", kNow);
  {
    const ScopedFailpoints late("plugin_store.current.sync_folder.before=error:io_failed");
    EXPECT_EQ(store.commit({}, "second", kNow).error().code, ErrorCode::kIoFailed);
  }
  EXPECT_EQ(store.current(), first);
  EXPECT_EQ(open(Mode::kRead).current(), first);
  EXPECT_FALSE(fs::exists(path("generations/2.json")));
}

TEST_F(GenerationStoreTest, KnowsWhatCountsWhereTheOldGenerationCannotBePutBack) {
  GenerationStore store = open();
  ASSERT_TRUE(store.commit({}, "first", kNow).ok());
  {
    const ScopedFailpoints late(
        "plugin_store.current.rename.after=error;plugin_store.undo.write.before=error");
    EXPECT_FALSE(store.commit({}, "second", kNow).ok());
  }

  EXPECT_EQ(store.current().reason, "second");
  EXPECT_EQ(open(Mode::kRead).current(), store.current());
}

TEST_F(GenerationStoreTest, KnowsWhatIsQuarantinedWhereThatCannotBeWritten) {
  GenerationStore store = open();
  const QuarantinedPackage bad{std::string(64, 'a'), "acme/guard", "1.0.0", "crashed", kNow};
  for (const char* step : {"write.before", "rename.after"}) {
    const ScopedFailpoints failing("plugin_store.quarantine." + std::string(step) + "=error");
    EXPECT_FALSE(store.quarantine(bad).ok());
    EXPECT_EQ(store.quarantined(), open(Mode::kRead).quarantined()) << step;
  }
  EXPECT_THAT(store.quarantined(), ElementsAre(bad));
}

TEST_F(GenerationStoreTest, LetsOneProcessWrite) {
  {
    const GenerationStore store = open();

    const Error error = open_error();

    EXPECT_EQ(error.code, ErrorCode::kPluginStoreBusy);
    EXPECT_THAT(error.message, HasSubstr("is held by process " + std::to_string(::getpid())));
    EXPECT_EQ(open(Mode::kRead).current().number, 0u);
  }
  open();
}

TEST_F(GenerationStoreTest, CopiesPackagesReadOnlyAndOnce) {
  GenerationStore store = open();
  const PluginPackage source = package("1.0.0");

  ASSERT_TRUE(store.add_package(source).ok());
  ASSERT_TRUE(store.add_package(source).ok());

  const std::string kept = store.package_folder(source.digest);
  EXPECT_EQ(fs::status(kept).permissions(), fs::perms(0555));
  EXPECT_EQ(fs::status(kept + "/bin").permissions(), fs::perms(0555));
  EXPECT_EQ(fs::status(kept + "/bin/guard").permissions(), fs::perms(0555));
  EXPECT_EQ(fs::status(kept + "/plugin.toml").permissions(), fs::perms(0444));
  EXPECT_TRUE(store.verify_package(source.digest).ok());
  const Result<PluginPackage> read = store.package(source.digest);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->digest, source.digest);
  EXPECT_EQ(read->files, source.files);
  EXPECT_EQ(read->folder, kept);
  EXPECT_EQ(read->manifest.id, "acme/guard");
  EXPECT_EQ(std::distance(fs::directory_iterator(path("packages")), {}), 2);  // and the listing
}

TEST_F(GenerationStoreTest, KnowsNoPackageThatWasNotAdded) {
  const GenerationStore store = open();

  for (const std::string& digest : {std::string(64, 'a'), std::string("../packages"), std::string()}) {
    EXPECT_EQ(store.package(digest).error().code, ErrorCode::kNotFound);
    EXPECT_EQ(store.verify_package(digest).error().code, ErrorCode::kNotFound);
  }
}

TEST_F(GenerationStoreTest, RefusesAFolderThatChangedAfterItWasRead) {
  GenerationStore store = open();
  const PluginPackage source = package("1.0.0");
  const auto expect_refusal = [&] {
    EXPECT_EQ(store.add_package(source).error().code, ErrorCode::kChecksumMismatch);
    EXPECT_TRUE(fs::is_empty(path("packages")));
  };

  write_test_file(source.folder + "/bin/guard", "other\n");
  expect_refusal();
  fs::remove(source.folder + "/bin/guard");
  expect_refusal();
  fs::create_symlink("/bin/sh", source.folder + "/bin/guard");
  expect_refusal();
}

TEST_F(GenerationStoreTest, TellsACopyThatIsNotWhatWasRead) {
  GenerationStore store = open();
  PluginPackage source = package("1.0.0");
  source.digest = std::string(64, 'b');

  const Status status = store.add_package(source);

  EXPECT_EQ(status.error().code, ErrorCode::kChecksumMismatch);
  EXPECT_THAT(status.error().message, HasSubstr("is not what was copied"));
}

TEST_F(GenerationStoreTest, SaysThatTheDiskIsFullAndLeavesNothing) {
  GenerationStore store = open();
  const PluginPackage source = package("1.0.0");
  for (const char* step : {"package.write", "package.sync", "listing.write", "package.rename"}) {
    const ScopedFailpoints full("plugin_store." + std::string(step) + ".before=error:disk_full");

    EXPECT_EQ(store.add_package(source).error().code, ErrorCode::kDiskFull) << step;
    EXPECT_FALSE(fs::exists(store.package_folder(source.digest)));
  }
  EXPECT_TRUE(store.add_package(source).ok());
}

TEST_F(GenerationStoreTest, NamesTheFileOfAPackageThatChanged) {
  GenerationStore store = open();
  const PluginPackage source = package("1.0.0");
  ASSERT_TRUE(store.add_package(source).ok());
  const std::string kept = store.package_folder(source.digest);
  const auto message = [&] {
    const Status status = store.verify_package(source.digest);
    EXPECT_EQ(status.error().code, ErrorCode::kChecksumMismatch);
    return status.error().message;
  };

  corrupt(kept + "/bin/guard", "evil\n");
  EXPECT_THAT(message(), HasSubstr("'bin/guard' has changed"));
  EXPECT_EQ(store.package(source.digest).error().code, ErrorCode::kChecksumMismatch);
  fs::permissions(kept, fs::perms::owner_all);
  fs::permissions(kept + "/bin", fs::perms::owner_all);
  fs::remove(kept + "/bin/guard");
  EXPECT_THAT(message(), HasSubstr("'bin/guard' is missing"));
  fs::create_symlink("/bin/sh", kept + "/bin/guard");
  EXPECT_THAT(message(), HasSubstr("'bin/guard' is a link"));
  fs::remove(kept + "/bin/guard");
  write_test_file(kept + "/bin/guard", source.manifest.id);
  corrupt(path("packages/" + source.digest + ".list"), "");
  EXPECT_THAT(message(), HasSubstr("the files are not those that were added"));

  // And mends it.
  ASSERT_TRUE(store.add_package(source).ok());
  EXPECT_TRUE(store.verify_package(source.digest).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(path("packages")), {}), 2);
  fs::permissions(kept, fs::perms::owner_all);
  write_test_file(kept + "/new", "");
  EXPECT_THAT(message(), HasSubstr("'new' was added"));
}

TEST_F(GenerationStoreTest, CollectsOldGenerationsAndThePackagesThatNoneNames) {
  GenerationStore store = open();
  const InstalledPlugin first = installed(store, "1.0.0");
  const InstalledPlugin second = installed(store, "1.1.0");
  const InstalledPlugin third = installed(store, "1.2.0");
  const InstalledPlugin never = installed(store, "1.3.0");
  ASSERT_TRUE(store.commit({first}, "a", kNow).ok());
  ASSERT_TRUE(store.commit({second}, "b", kNow).ok());
  ASSERT_TRUE(store.commit({third}, "c", kNow).ok());

  ASSERT_TRUE(store.collect(2).ok());

  EXPECT_EQ(store.generations()->size(), 2u);
  EXPECT_EQ(store.verify_package(first.digest).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.verify_package(never.digest).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store.verify_package(second.digest).ok());
  EXPECT_TRUE(store.verify_package(third.digest).ok());
  EXPECT_EQ(store.roll_back_to(1, kNow).error().code, ErrorCode::kNotFound);

  ASSERT_TRUE(store.collect(0).ok());
  EXPECT_EQ(store.generations()->size(), 1u);
  EXPECT_EQ(store.current().number, 3u);
  EXPECT_TRUE(store.verify_package(third.digest).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(path("packages")), {}), 2);
}

TEST_F(GenerationStoreTest, CollectsNothingWhileAGenerationCannotBeRead) {
  GenerationStore store = open();
  const InstalledPlugin first = installed(store, "1.0.0");
  ASSERT_TRUE(store.commit({first}, "a", kNow).ok());
  ASSERT_TRUE(store.commit({installed(store, "1.1.0")}, "b", kNow).ok());
  write_test_file(path("generations/1.json"), "{");

  EXPECT_EQ(store.collect(5).error().code, ErrorCode::kPluginStoreInvalid);
  EXPECT_EQ(store.generations().error().code, ErrorCode::kPluginStoreInvalid);
  EXPECT_EQ(store.roll_back_to(1, kNow).error().code, ErrorCode::kPluginStoreInvalid);
  EXPECT_TRUE(store.verify_package(first.digest).ok());
}

TEST_F(GenerationStoreTest, RemembersWhatIsQuarantinedUntilItIsReleased) {
  const QuarantinedPackage bad{.digest = std::string(64, 'a'),
                               .id = "acme/guard",
                               .version = "1.0.0",
                               .reason = "ended 5 times in 10 minutes",
                               .since_unix_seconds = kNow};
  QuarantinedPackage again = bad;
  again.reason = "again";
  QuarantinedPackage other = bad;
  other.digest = std::string(64, 'b');
  {
    GenerationStore store = open();
    ASSERT_TRUE(store.quarantine(bad).ok());
    ASSERT_TRUE(store.quarantine(other).ok());
    ASSERT_TRUE(store.quarantine(again).ok());
    EXPECT_THAT(store.quarantined(), ElementsAre(other, again));
  }
  GenerationStore store = open();
  EXPECT_THAT(store.quarantined(), ElementsAre(other, again));

  ASSERT_TRUE(store.release(bad.digest).ok());
  ASSERT_TRUE(store.release(bad.digest).ok());

  EXPECT_THAT(store.quarantined(), ElementsAre(other));
  EXPECT_THAT(open(Mode::kRead).quarantined(), ElementsAre(other));
  EXPECT_EQ(store.quarantine({.digest = "a", .id = "a/b", .version = "1.0.0", .reason = ""}).error().code,
            ErrorCode::kInvalidValue);
}

TEST_F(GenerationStoreTest, MakesEachPluginAFolderOfItsOwn) {
  GenerationStore store = open();

  const Result<std::string> data = store.data_folder("acme/guard");

  ASSERT_TRUE(data.ok()) << data.error().message;
  EXPECT_EQ(*data, path("data/acme/guard"));
  EXPECT_EQ(fs::status(*data).permissions(), fs::perms(0700));
  write_test_file(*data + "/kept", "");
  EXPECT_EQ(*store.data_folder("acme/guard"), *data);
  EXPECT_TRUE(fs::exists(*data + "/kept"));
  for (const char* id : {"..", "../..", "a/../b", ""}) {
    EXPECT_EQ(store.data_folder(id).error().code, ErrorCode::kInvalidValue) << id;
  }

  EXPECT_EQ(*open(Mode::kRead).data_folder("acme/other"), path("data/acme/other"));
  EXPECT_FALSE(fs::exists(path("data/acme/other")));
}

TEST_F(GenerationStoreTest, SaysWhatIsWrongWithItsFiles) {
  {
    GenerationStore store = open();
    ASSERT_TRUE(store.commit({installed(store, "1.0.0")}, "a", kNow).ok());
    ASSERT_TRUE(store.commit({installed(store, "1.1.0")}, "b", kNow).ok());
  }
  const auto expect_invalid = [&](const std::string& message) {
    for (const Mode mode : {Mode::kRead, Mode::kWrite}) {
      const Error error = open_error(mode);
      EXPECT_EQ(error.code, ErrorCode::kPluginStoreInvalid);
      EXPECT_THAT(error.message, HasSubstr(message));
    }
  };
  const std::string lock_file = *read_file(path("generations/2.json"), 10'000);

  for (const char* number : {"", "two", "0", "-1", "2 2"}) {
    write_test_file(path("current"), number);
    expect_invalid("is not the number of a generation");
  }
  write_test_file(path("current"), std::string(100, '2'));
  expect_invalid("is too large");
  write_test_file(path("current"), "2\n");
  write_test_file(path("generations/2.json"), "{}");
  expect_invalid("'format' must be there");
  write_test_file(path("generations/2.json"), *read_file(path("generations/1.json"), 10'000));
  expect_invalid("holds generation 1");
  write_test_file(path("generations/2.json"), std::string(17 << 20, ' '));
  expect_invalid("is too large");
  fs::remove(path("generations/2.json"));
  expect_invalid("is the current generation: cannot read");
  write_test_file(path("generations/2.json"), lock_file);
  write_test_file(path("quarantine.json"), "[]");
  expect_invalid("not a JSON object");
  write_test_file(path("quarantine.json"), std::string(17 << 20, ' '));
  expect_invalid("is too large");
  fs::remove(path("quarantine.json"));

  // The way back that the hint tells.
  EXPECT_EQ(open().current().number, 2u);
  fs::remove(path("generations/2.json"));
  write_test_file(path("current"), "1\n");
  EXPECT_EQ(open().current().number, 1u);
}

TEST_F(GenerationStoreTest, NeverTakesALostNumberForAnEmptyStore) {
  {
    GenerationStore store = open();
    ASSERT_TRUE(store.commit({}, "a", kNow).ok());
    ASSERT_TRUE(store.commit({}, "b", kNow).ok());
  }
  fs::remove(path("current"));

  const Error error = open_error();

  EXPECT_EQ(error.code, ErrorCode::kPluginStoreInvalid);
  EXPECT_THAT(error.message, HasSubstr("2.json' is newer than the current generation 0"));
  EXPECT_TRUE(fs::exists(path("generations/1.json")));
}

TEST_F(GenerationStoreTest, SweepsAwayWhatAnInterruptedChangeLeft) {
  {
    GenerationStore store = open();
    ASSERT_TRUE(store.commit({installed(store, "1.0.0")}, "a", kNow).ok());
  }
  write_test_file(path("packages/.tmp-abcdef/bin/guard"), "half");
  fs::permissions(path("packages/.tmp-abcdef/bin"), fs::perms(0555));
  write_test_file(path("packages/" + std::string(64, 'a') + ".list"), "");
  write_test_file(path("packages/" + std::string(64, 'b') + ".list.new"), "");
  write_test_file(path("generations/2.json"), "{half");
  write_test_file(path("generations/3.json.new"), "{half");
  write_test_file(path("current.new"), "2");
  write_test_file(path("generations/notes.txt"), "mine");

  EXPECT_EQ(open(Mode::kRead).generations()->size(), 1u);
  EXPECT_TRUE(fs::exists(path("current.new")));
  EXPECT_EQ(open().generations()->size(), 1u);

  EXPECT_EQ(std::distance(fs::directory_iterator(path("packages")), {}), 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(path("generations")), {}), 2);
  EXPECT_FALSE(fs::exists(path("current.new")));
  EXPECT_TRUE(fs::exists(path("generations/notes.txt")));
}

TEST_F(GenerationStoreTest, FailsWhereTheFolderCannotBe) {
  write_test_file(folder(), "a file");

  EXPECT_FALSE(GenerationStore::open(folder(), Mode::kWrite).ok());
  fs::remove(folder());
  write_test_file(path("packages"), "a file");
  EXPECT_FALSE(GenerationStore::open(folder(), Mode::kWrite).ok());
  fs::remove(path("packages"));
  write_test_file(path("generations/1.json/a"), "a file");
  write_test_file(path("current"), "1");
  EXPECT_EQ(open_error(Mode::kRead).code, ErrorCode::kNotAFile);
}

TEST_F(GenerationStoreTest, MayBeMoved) {
  GenerationStore store = open();
  ASSERT_TRUE(store.commit({}, "a", kNow).ok());

  GenerationStore moved = std::move(store);
  store = std::move(moved);

  EXPECT_EQ(store.current().number, 1u);
}

using GenerationStoreDeathTest = GenerationStoreTest;

TEST_F(GenerationStoreDeathTest, IsNotChangedWhereItIsOnlyRead) {
  GenerationStore store = open(Mode::kRead);

  EXPECT_DEATH((void)store.commit({}, "a", kNow), "opened to be read");
}

}  // namespace
}  // namespace llama_gpu::plugins
