// SPDX-License-Identifier: Apache-2.0
#include "plugins/package.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "base/temporary_folder_fake.h"
#include "plugins/package_files.h"
#include "plugins/package_fixture.h"

namespace llama_gpu::plugins {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A folder with a good package, to be spoilt.
class Package : public testing::Test {
 protected:
  Package() { write_test_package(folder()); }

  std::string folder() const { return temporary_.path("p"); }
  std::string path(const std::string& name) const { return folder() + "/" + name; }

  // The error of a package that breaks the rules.
  std::string refusal(const PackageLimits& limits = {}) const {
    const Result<PluginPackage> package = read_package(folder(), limits);
    EXPECT_FALSE(package.ok());
    if (package.ok()) return "";
    EXPECT_EQ(package.error().code, ErrorCode::kPluginInvalid) << package.error().message;
    return package.error().message;
  }

  std::string digest() const {
    const Result<PluginPackage> package = read_package(folder());
    EXPECT_TRUE(package.ok()) << package.error().message;
    return package.ok() ? package->digest : "";
  }

  TemporaryFolder temporary_;
};

TEST_F(Package, ListsItsFilesByPathWithTheirHashes) {
  const Result<PluginPackage> package = read_package(folder());

  ASSERT_TRUE(package.ok()) << package.error().message;
  EXPECT_EQ(package->folder, folder());
  EXPECT_EQ(package->manifest.id, "acme/guard");
  ASSERT_EQ(package->files.size(), 2u);
  const PackageFile guard{
      .path = "bin/guard", .size_bytes = 15, .sha256 = sha256_of("print('guard')\n"), .is_executable = true};
  EXPECT_EQ(package->files[0], guard);
  EXPECT_EQ(package->files[1].path, "plugin.toml");
  EXPECT_FALSE(package->files[1].is_executable);
  EXPECT_TRUE(is_sha256(package->digest));
}

TEST_F(Package, DigestIsThatOfThePathsModesAndContents) {
  const std::string before = digest();
  EXPECT_EQ(digest(), before);

  write_test_file(path("bin/guard"), "print('guarD')\n");
  const std::string other_contents = digest();
  write_test_file(path("bin/guard"), "print('guard')\n");
  EXPECT_EQ(digest(), before);

  fs::permissions(path("plugin.toml"), fs::perms::owner_exec, fs::perm_options::add);
  const std::string other_mode = digest();
  fs::permissions(path("plugin.toml"), fs::perms::owner_exec, fs::perm_options::remove);

  write_test_file(path("a"), "");
  const std::string other_files = digest();
  fs::rename(path("a"), path("b"));
  const std::string other_path = digest();

  EXPECT_EQ((std::set{before, other_contents, other_mode, other_files, other_path}.size()), 5u);
}

TEST_F(Package, DigestIsThatOfTheListing) {
  const PluginPackage package = *read_package(folder());

  EXPECT_EQ(sha256_of(package_listing(package.files)), package.digest);
  EXPECT_THAT(package_listing(package.files), HasSubstr(package.files[0].sha256 + " x 15 bin/guard\n"));
}

TEST_F(Package, NeedsAManifest) {
  fs::remove(path("plugin.toml"));
  EXPECT_THAT(refusal(), HasSubstr("has no file 'plugin.toml'"));

  write_test_file(path("plugin.toml"), "[plugin]\nid = 1\n");
  EXPECT_THAT(refusal(), HasSubstr("plugin.toml:2:6: 'plugin.id' is 1"));

  write_test_file(path("plugin.toml"), std::string(70'000, '#'));
  EXPECT_THAT(refusal(), HasSubstr("'plugin.toml' is larger than"));
}

TEST_F(Package, NeedsItsProgram) {
  fs::permissions(path("bin/guard"), fs::perms::owner_exec, fs::perm_options::remove);
  EXPECT_THAT(refusal(), HasSubstr("'bin/guard' is not executable"));

  fs::remove(path("bin/guard"));
  EXPECT_THAT(refusal(),
              HasSubstr("'bin/guard' is no file of the package and none of the interpreters python3"));
}

TEST_F(Package, MayBeRunByAnInterpreter) {
  const auto use_command = [&](const std::string& command) {
    write_test_file(path("plugin.toml"), "[plugin]\nid = \"a/b\"\nversion = \"1.0.0\"\ncommand = [\"" +
                                             command +
                                             "\"]\ncapabilities = [\"request_filter\"]\n"
                                             "[host_api]\nmin = \"1.0.0\"\nmax = \"1.0.0\"\n");
  };
  for (const std::string_view interpreter : kPluginInterpreters) {
    use_command(std::string(interpreter));
    EXPECT_TRUE(read_package(folder()).ok()) << interpreter;
  }

  use_command("pyhton3");
  EXPECT_THAT(refusal(), HasSubstr("did you mean 'python3'?"));
}

TEST_F(Package, TakesItsSchemaFromAFile) {
  std::string manifest =
      "[plugin]\nid = \"a/b\"\nversion = \"1.0.0\"\ncommand = [\"sh\"]\n"
      "capabilities = [\"request_filter\"]\nconfig_schema_file = \"schema.json\"\n"
      "[host_api]\nmin = \"1.0.0\"\nmax = \"1.0.0\"\n";
  write_test_file(path("plugin.toml"), manifest);
  EXPECT_THAT(refusal(), HasSubstr("has no file 'schema.json', which its manifest names"));

  write_test_file(path("schema.json"), "[]");
  EXPECT_THAT(refusal(), HasSubstr("'schema.json' is not a JSON object"));
  write_test_file(path("schema.json"), "{");
  EXPECT_THAT(refusal(), HasSubstr("'schema.json' is not JSON"));
  write_test_file(path("schema.json"), std::string(100, '[') + std::string(100, ']'));
  EXPECT_THAT(refusal(), HasSubstr("'schema.json' is JSON of more than 64 levels"));
  write_test_file(path("schema.json"), "{}" + std::string(300'000, ' '));
  EXPECT_THAT(refusal(), HasSubstr("'schema.json' is larger than"));

  write_test_file(path("schema.json"), R"({"type": "object"})");
  const Result<PluginPackage> package = read_package(folder());
  ASSERT_TRUE(package.ok()) << package.error().message;
  EXPECT_EQ(package->manifest.config_schema, R"({"type": "object"})");
}

TEST_F(Package, MustBeAFolder) {
  EXPECT_EQ(read_package(path("nothing")).error().code, ErrorCode::kFileNotFound);
  EXPECT_THAT(read_package(path("plugin.toml")).error().message, HasSubstr("is not a folder"));
  fs::create_directory_symlink(folder(), temporary_.path("link"));
  EXPECT_THAT(read_package(temporary_.path("link")).error().message, HasSubstr("links are not followed"));
}

TEST_F(Package, RefusesLinksWhereverTheyLead) {
  for (const std::string& target : {std::string("plugin.toml"), std::string("/etc/passwd"),
                                    std::string("bin"), std::string("nowhere"), std::string("link")}) {
    fs::create_symlink(target, path("link"));
    EXPECT_THAT(refusal(), HasSubstr("'link' is a link"));
    fs::remove(path("link"));
  }
}

TEST_F(Package, RefusesPipesAndSocketsWithoutOpeningThem) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("'pipe' is a device, pipe or socket"));
  fs::remove(path("pipe"));

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = path("sock");
  ASSERT_LT(name.size(), sizeof(address.sun_path));
  name.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const supervisor::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_THAT(refusal(), HasSubstr("'sock' is a device, pipe or socket"));
}

TEST_F(Package, RefusesSetUidAndSetGid) {
  for (const mode_t mode : {04755, 02755}) {
    ASSERT_EQ(::chmod(path("bin/guard").c_str(), mode), 0);
    EXPECT_THAT(refusal(), HasSubstr("'bin/guard' is set-uid or set-gid"));
  }
}

TEST_F(Package, RefusesNamesThatDifferInCaseOnly) {
  const std::pair<const char*, const char*> pairs[] = {{"readme", "README"},
                                                       {"\xc3\xa4", "\xc3\x84"},
                                                       {"\xc3\xa9", "e\xcc\x81"},
                                                       {"stra\xc3\x9f"
                                                        "e",
                                                        "strasse"}};
  for (const auto& [a, b] : pairs) {
    write_test_file(path(a), "");
    write_test_file(path(b), "");
    EXPECT_THAT(refusal(), HasSubstr("in case only")) << a;
    fs::remove(path(a));
    fs::remove(path(b));
  }
  write_test_file(path("Lib/a"), "");
  write_test_file(path("lib/b"), "");
  EXPECT_THAT(refusal(), HasSubstr("'lib' differs from 'Lib' in case only"));
}

TEST_F(Package, RefusesNamesThatCannotBeShown) {
  for (const char* name : {"a\nb", "a\x1b[31m", "\xff\xfe",
                           "\xe2\x80\xae"
                           "exe",
                           "a\\b", "\x7f", "\xc2\x9b"}) {
    write_test_file(path(name), "");
    EXPECT_THAT(refusal(), HasSubstr("control character")) << name;
    fs::remove(path(name));
  }
}

TEST_F(Package, KeepsToItsLimits) {
  EXPECT_TRUE(read_package(folder(), {.num_files = 3}).ok());
  EXPECT_THAT(refusal({.num_files = 2}), HasSubstr("more than 2 files and folders"));
  EXPECT_THAT(refusal({.name_bytes = 4}), HasSubstr("a name of more than 4 bytes"));
  EXPECT_THAT(refusal({.total_bytes = 100}), HasSubstr("is larger than 100 B, up to '"));
  EXPECT_TRUE(read_package(folder(), {.depth = 2}).ok());
  EXPECT_THAT(refusal({.depth = 1}), HasSubstr("'bin/' is nested deeper than 1 folders"));
}

TEST_F(Package, RefusesFoldersThatNestForEver) {
  std::string deep = folder();
  for (int i = 0; i < 40; ++i) deep += "/d";
  fs::create_directories(deep);

  EXPECT_THAT(refusal(), HasSubstr("nested deeper than 32 folders"));
}

TEST_F(Package, RefusesLongPaths) {
  std::string deep;
  for (int i = 0; i < 6; ++i) deep += std::string(200, 'd') + "/";
  write_test_file(path(deep + "a"), "");

  EXPECT_THAT(refusal(), HasSubstr("is a path of more than 1024 bytes"));
}

TEST_F(Package, RefusesASparseFileBeforeItIsRead) {
  write_test_file(path("huge"), "");
  ASSERT_EQ(::truncate(path("huge").c_str(), off_t{1} << 40), 0);

  EXPECT_THAT(refusal(), HasSubstr("is larger than"));
}

TEST_F(Package, TakesFilesOfManyChunks) {
  std::string contents;
  for (int i = 0; i < 100'000; ++i) contents += "line " + std::to_string(i) + "\n";
  write_test_file(path("data"), contents);

  const PluginPackage package = *read_package(folder());

  EXPECT_EQ(package.files[1].path, "data");
  EXPECT_EQ(package.files[1].size_bytes, contents.size());
  EXPECT_EQ(package.files[1].sha256, sha256_of(contents));
}

TEST_F(Package, TellsAFileThatChangedAfterTheScan) {
  std::vector<PackageFile> files = *scan_package_files(folder(), {});
  const PackageFile manifest = files[1];

  write_test_file(path("plugin.toml"), "short");
  EXPECT_THAT(read_package_text(folder(), manifest, 1000).error().message,
              HasSubstr("changed while it was read"));
  write_test_file(path("plugin.toml"), std::string(2000, 'a'));
  EXPECT_THAT(read_package_text(folder(), manifest, 1000).error().message,
              HasSubstr("changed while it was read"));
  fs::remove(path("plugin.toml"));
  EXPECT_EQ(read_package_text(folder(), manifest, 1000).error().code, ErrorCode::kFileNotFound);
  fs::create_symlink("/etc/passwd", path("plugin.toml"));
  EXPECT_THAT(read_package_text(folder(), manifest, 1000).error().message, HasSubstr("a link"));
  fs::remove(path("plugin.toml"));
  fs::create_directory(path("plugin.toml"));
  EXPECT_THAT(read_package_text(folder(), manifest, 1000).error().message, HasSubstr("not a plain file"));
  fs::rename(path("bin"), path("bin2"));
  fs::create_directory_symlink("bin2", path("bin"));
  EXPECT_THAT(open_package_file(folder(), "bin/guard").error().message, HasSubstr("lies in, a link"));
}

TEST_F(Package, KnowsWhichPathsAreSafe) {
  for (const char* good : {"a", "a/b", "a b/c", ".hidden", "..a", "\xc3\xa4"})
    EXPECT_TRUE(is_package_path(good));
  for (const char* bad : {"", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\\b", "a\n", "\xff"}) {
    EXPECT_FALSE(is_package_path(bad)) << bad;
  }
  EXPECT_FALSE(is_package_path(std::string(5000, 'a')));
}

}  // namespace
}  // namespace llama_gpu::plugins
