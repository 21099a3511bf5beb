// SPDX-License-Identifier: Apache-2.0
#include "app/pull.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <filesystem>

#include "app/http_server_fake.h"
#include "base/failpoint.h"
#include "base/sha256.h"
#include "base/temporary_folder_fake.h"
#include "support/gguf_parts.h"

namespace llama_gpu::app {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Reply = HttpServerFake::Reply;
using Request = HttpServerFake::Request;

// A GGUF file without tensors, and more bytes behind it.
std::string gguf_file(const std::string& more) { return test_support::GgufParts{}.bytes() + more; }

// The same with one tensor, whose last byte is missing.
std::string cut_file() {
  std::string bytes =
      test_support::GgufParts{.declarations = {test_support::gguf_declaration("a", {8}, 0, 0)},
                              .data = std::string(32, 'a')}
          .bytes();
  bytes.pop_back();
  return bytes;
}

const std::string kContents = gguf_file(std::string(300'000, 'x') + "end");

// A models folder, and pulls into it.
class PullTest : public ::testing::Test {
 protected:
  Result<PulledFile> pull_from(const std::string& source, const std::string& sha256 = "") {
    PullOptions options{.source = source, .folder = folder_.path("models"), .sha256 = sha256};
    options.max_attempts = 3;
    options.retry_delay = std::chrono::milliseconds(0);
    options.replace = replace_;
    return pull(options, HttpClient(Environment(), cancelled_), cancelled_);
  }

  std::string models(const std::string& name) const { return folder_.path("models/" + name); }
  std::string contents(const std::string& name) const { return *read_file(models(name), 1 << 20); }
  int num_files() const { return int(std::distance(fs::directory_iterator(folder_.path("models")), {})); }

  TemporaryFolder folder_;
  std::atomic<bool> cancelled_ = false;
  bool replace_ = false;
};

TEST_F(PullTest, FetchesAFile) {
  const HttpServerFake server(
      [](const Request& request) { return serve_file(request, kContents, "\"v1\""); });

  const Result<PulledFile> file = pull_from(server.url() + "/repo/m.gguf?download=true");

  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->path, models("m.gguf"));
  EXPECT_EQ(file->size_bytes, kContents.size());
  EXPECT_FALSE(file->was_there);
  EXPECT_EQ(contents("m.gguf"), kContents);
  EXPECT_EQ(num_files(), 1);
}

TEST_F(PullTest, GoesOnWhereATransferBrokeOff) {
  int num_requests = 0;
  const HttpServerFake server([&](const Request& request) {
    Reply reply = serve_file(request, kContents, "\"v1\"");
    if (++num_requests == 1) reply.cut_after = 100'000;
    return reply;
  });

  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());

  EXPECT_EQ(contents("m.gguf"), kContents);
  ASSERT_EQ(server.requests().size(), 2U);
  EXPECT_EQ(server.requests()[1].headers.at("range"), "bytes=100000-");
  EXPECT_EQ(server.requests()[1].headers.at("if-range"), "\"v1\"");
}

TEST_F(PullTest, KeepsWhatCameAndGoesOnInTheNextPull) {
  bool is_broken = true;
  const HttpServerFake server([&](const Request& request) {
    Reply reply = serve_file(request, kContents, "\"v1\"");
    if (is_broken) reply.cut_after = request.headers.contains("range") ? 0 : 1000;
    return reply;
  });

  const Result<PulledFile> first = pull_from(server.url() + "/m.gguf");
  is_broken = false;
  const Result<PulledFile> second = pull_from(server.url() + "/m.gguf");

  ASSERT_FALSE(first.ok());
  EXPECT_EQ(first.error().code, ErrorCode::kDownloadFailed);
  EXPECT_THAT(first.error().hint, HasSubstr("the 1.0 kB so far are kept in"));
  ASSERT_TRUE(second.ok()) << second.error().message;
  EXPECT_EQ(contents("m.gguf"), kContents);
  EXPECT_EQ(num_files(), 1);
}

TEST_F(PullTest, StartsOverWhereTheFileChangedMeanwhile) {
  folder_.write("old", "");
  int num_requests = 0;
  const std::string other = gguf_file(std::string(50'000, 'y'));
  const HttpServerFake server([&](const Request& request) {
    if (++num_requests > 1) return serve_file(request, other, "\"v2\"");
    Reply reply = serve_file(request, kContents, "\"v1\"");
    reply.cut_after = 1000;
    return reply;
  });

  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());

  EXPECT_EQ(contents("m.gguf"), other);
}

TEST_F(PullTest, StartsOverWhereThePartIsOfAnotherSource) {
  ASSERT_TRUE(create_directories(folder_.path("models")).ok());
  folder_.write("models/m.gguf.part", "something else");
  folder_.write("models/m.gguf.part.source", "https://example.org/other/m.gguf\n\"v1\"\n");
  const HttpServerFake server(
      [](const Request& request) { return serve_file(request, kContents, "\"v1\""); });

  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());

  EXPECT_EQ(contents("m.gguf"), kContents);
  EXPECT_FALSE(server.requests()[0].headers.contains("range"));
}

TEST_F(PullTest, NeverGoesOnBehindBytesOfAnotherSource) {
  bool is_broken = true;
  const HttpServerFake server([&](const Request& request) {
    Reply reply = serve_file(request, kContents, "\"v1\"");
    if (is_broken) reply.cut_after = request.headers.contains("range") ? 0 : 1000;
    return reply;
  });
  const std::string copy = folder_.write("m.gguf", gguf_file(std::string(5000, 'y')));
  ASSERT_FALSE(pull_from(server.url() + "/m.gguf").ok());
  {
    // Breaks off when all of the copy stands in the part.
    const ScopedFailpoints set("file.rename=error:io_failed");
    ASSERT_FALSE(pull_from(copy).ok());
  }
  is_broken = false;

  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());

  EXPECT_EQ(contents("m.gguf"), kContents);
}

TEST_F(PullTest, TakesTheAnswerThatAllIsThere) {
  const HttpServerFake server(
      [](const Request& request) { return serve_file(request, kContents, "\"v1\""); });
  ASSERT_TRUE(create_directories(folder_.path("models")).ok());
  folder_.write("models/m.gguf.part", kContents);
  folder_.write("models/m.gguf.part.source", server.url() + "/m.gguf\n\"v1\"\n");

  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());

  EXPECT_EQ(contents("m.gguf"), kContents);
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(PullTest, StartsOverWhereThePartIsLargerThanTheFile) {
  const HttpServerFake server(
      [](const Request& request) { return serve_file(request, kContents, "\"v1\""); });
  ASSERT_TRUE(create_directories(folder_.path("models")).ok());
  folder_.write("models/m.gguf.part", kContents + "and more");
  folder_.write("models/m.gguf.part.source", server.url() + "/m.gguf\n\n");

  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());

  EXPECT_EQ(contents("m.gguf"), kContents);
}

TEST_F(PullTest, RefusesAnotherRangeThanItAskedFor) {
  const HttpServerFake server([](const Request& request) {
    if (!request.headers.contains("range")) return Reply{200, {}, kContents};
    return Reply{206, {"Content-Range: bytes 7-9/10"}, "abc"};
  });
  ASSERT_TRUE(create_directories(folder_.path("models")).ok());
  folder_.write("models/m.gguf.part", "GGUF");
  folder_.write("models/m.gguf.part.source", server.url() + "/m.gguf\n\n");

  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());

  EXPECT_EQ(contents("m.gguf"), kContents);
}

TEST_F(PullTest, ComparesTheChecksumAndRemovesAWrongFile) {
  const HttpServerFake server(
      [](const Request& request) { return serve_file(request, kContents, "\"v1\""); });
  const std::string right = *sha256_of_file(folder_.write("copy", kContents), cancelled_);

  const Result<PulledFile> wrong = pull_from(server.url() + "/m.gguf", std::string(64, '0'));

  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, ErrorCode::kChecksumMismatch);
  EXPECT_THAT(wrong.error().message, HasSubstr(right));
  EXPECT_EQ(num_files(), 0);
  EXPECT_TRUE(pull_from(server.url() + "/m.gguf", right).ok());
  EXPECT_EQ(pull_from(server.url() + "/m.gguf", "abc").error().code, ErrorCode::kInvalidValue);
}

TEST_F(PullTest, DoesNothingWhereTheFileIsThere) {
  const HttpServerFake server(
      [](const Request& request) { return serve_file(request, kContents, "\"v1\""); });
  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());

  const Result<PulledFile> again = pull_from(server.url() + "/m.gguf");
  const Result<PulledFile> other = pull_from(server.url() + "/m.gguf", std::string(64, '0'));
  replace_ = true;
  const Result<PulledFile> replaced = pull_from(server.url() + "/m.gguf");

  EXPECT_TRUE(again->was_there);
  EXPECT_EQ(other.error().code, ErrorCode::kChecksumMismatch);
  EXPECT_FALSE(replaced->was_there);
  ASSERT_EQ(server.requests().size(), 3U);
  EXPECT_EQ(server.requests()[1].method, "HEAD");
}

TEST_F(PullTest, RefusesAnotherFileOfTheSameName) {
  std::string contents = kContents;
  const HttpServerFake server(
      [&](const Request& request) { return serve_file(request, contents, "\"v1\""); });
  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());
  contents += "more";
  std::string altered = kContents;
  altered.back() = '!';

  const Result<PulledFile> remote = pull_from(server.url() + "/m.gguf");
  const Result<PulledFile> shorter = pull_from(folder_.write("m.gguf", gguf_file("")));
  const Result<PulledFile> other = pull_from(folder_.write("m.gguf", altered));

  for (const auto* result : {&remote, &shorter, &other}) {
    ASSERT_FALSE(result->ok());
    EXPECT_EQ(result->error().code, ErrorCode::kChecksumMismatch);
    EXPECT_THAT(result->error().message, HasSubstr("is there already and is another file: it "));
    EXPECT_THAT(result->error().hint, HasSubstr("--force"));
  }
  EXPECT_THAT(remote.error().message, HasSubstr("the source " + std::to_string(contents.size())));
  EXPECT_THAT(other.error().message, HasSubstr("at byte " + std::to_string(kContents.size() - 1)));
  EXPECT_EQ(this->contents("m.gguf"), kContents);
  replace_ = true;
  EXPECT_TRUE(pull_from(folder_.path("m.gguf")).ok());
  EXPECT_EQ(this->contents("m.gguf"), altered);
}

TEST_F(PullTest, TakesTheSameFileForWhatItIs) {
  const std::string source = folder_.write("m.gguf", kContents);
  ASSERT_TRUE(pull_from(source).ok());

  const Result<PulledFile> again = pull_from(source);

  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(again->was_there);
  EXPECT_EQ(again->not_compared, "");
}

TEST_F(PullTest, SaysWhyItCouldNotCompare) {
  const HttpServerFake server([](const Request& request) {
    if (request.method == "HEAD") return Reply{405, {}, ""};
    return serve_file(request, kContents, "\"v1\"");
  });
  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());

  const Result<PulledFile> again = pull_from(server.url() + "/m.gguf");

  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->not_compared, "the server answered 405");
}

TEST_F(PullTest, RefusesAModelThatIsCutShortAndKeepsWhatCame) {
  const HttpServerFake server(
      [](const Request& request) { return serve_file(request, cut_file(), "\"v1\""); });

  const Result<PulledFile> file = pull_from(server.url() + "/m.gguf");

  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kModelTruncated);
  EXPECT_THAT(file.error().hint, HasSubstr("what came is kept in '" + models("m.gguf.part") + "'"));
  EXPECT_FALSE(fs::exists(models("m.gguf")));
  EXPECT_TRUE(fs::exists(models("m.gguf.part")));
}

TEST_F(PullTest, RefusesAModelOfThisMachineThatIsCutShort) {
  const std::string source = folder_.write("m.gguf", cut_file());

  const Result<PulledFile> file = pull_from(source);

  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kModelTruncated);
  EXPECT_THAT(file.error().message, HasSubstr("'" + source + "': tensor 'a'"));
  EXPECT_EQ(num_files(), 0);
}

TEST_F(PullTest, BringsAModelThatThisProgramCannotRun) {
  const std::string source = folder_.write("m.gguf", test_support::GgufParts{.version = 9}.bytes());

  EXPECT_TRUE(pull_from(source).ok());
}

TEST_F(PullTest, CopiesAFileOfThisMachine) {
  const std::string source = folder_.write("m.gguf", kContents);

  ASSERT_TRUE(pull_from(source).ok());
  const Result<PulledFile> itself = pull_from(models("m.gguf"));

  EXPECT_EQ(contents("m.gguf"), kContents);
  EXPECT_TRUE(itself->was_there);
  EXPECT_EQ(pull_from(folder_.path("missing.gguf")).error().code, ErrorCode::kFileNotFound);
  EXPECT_EQ(num_files(), 1);
}

TEST_F(PullTest, KeepsThePartWhenTheDiskIsFull) {
  const HttpServerFake server(
      [](const Request& request) { return serve_file(request, kContents, "\"v1\""); });
  Result<PulledFile> full = Error{};
  {
    // The note of the source is written first, then the first piece.
    const ScopedFailpoints set("file.write=error:disk_full@3");
    full = pull_from(server.url() + "/m.gguf");
  }

  ASSERT_FALSE(full.ok());
  EXPECT_EQ(full.error().code, ErrorCode::kDiskFull);
  EXPECT_THAT(full.error().hint, HasSubstr("pull again to go on from there"));
  EXPECT_TRUE(fs::exists(models("m.gguf.part")));
  EXPECT_FALSE(fs::exists(models("m.gguf")));
  ASSERT_TRUE(pull_from(server.url() + "/m.gguf").ok());
  EXPECT_EQ(contents("m.gguf"), kContents);
}

TEST_F(PullTest, LeavesTheOldFileWhenTheRenameFails) {
  const std::string source = folder_.write("m.gguf", kContents);
  const ScopedFailpoints set("file.rename=error:io_failed");

  EXPECT_EQ(pull_from(source).error().code, ErrorCode::kIoFailed);

  EXPECT_FALSE(fs::exists(models("m.gguf")));
}

TEST_F(PullTest, LooksForRoomBeforeItFetches) {
  const HttpServerFake server(
      [](const Request&) { return Reply{200, {"Content-Length: 4000000000000000000"}, "GGUF"}; });

  const Result<PulledFile> file = pull_from(server.url() + "/m.gguf");

  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().code, ErrorCode::kDiskFull);
  EXPECT_THAT(file.error().message, HasSubstr("4.0 EB needed beside a reserve of 16.8 MB, "));
  EXPECT_EQ(num_files(), 0);
}

TEST_F(PullTest, SaysWhatTheServerAnswered) {
  int status = 404;
  const HttpServerFake server([&](const Request&) { return Reply{status, {}, "<html>no</html>"}; });

  const Result<PulledFile> missing = pull_from(server.url() + "/m.gguf");
  status = 503;
  const Result<PulledFile> busy = pull_from(server.url() + "/m.gguf");

  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("the server answered 404 for"));
  EXPECT_EQ(busy.error().code, ErrorCode::kDownloadFailed);
  EXPECT_EQ(server.requests().size(), 4U);  // an overloaded server is asked three times
  EXPECT_EQ(num_files(), 0);
}

TEST_F(PullTest, RefusesAWebPageAndAnEmptyFile) {
  std::string body = "<!DOCTYPE html>";
  const HttpServerFake server([&](const Request&) { return Reply{200, {}, body}; });

  const Result<PulledFile> page = pull_from(server.url() + "/m.gguf");
  body = "";
  const Result<PulledFile> empty = pull_from(server.url() + "/m.gguf");
  body = "some other format";
  const Result<PulledFile> other = pull_from(server.url() + "/m.gguf");
  const Result<PulledFile> unnamed = pull_from(server.url() + "/m.bin");

  EXPECT_EQ(page.error().code, ErrorCode::kModelInvalid);
  EXPECT_EQ(empty.error().code, ErrorCode::kModelInvalid);
  EXPECT_EQ(other.error().code, ErrorCode::kModelInvalid);
  EXPECT_TRUE(unnamed.ok());
}

TEST_F(PullTest, SaysThatThereIsNoServer) {
  std::string url;
  {
    url = HttpServerFake([](const Request&) { return Reply{}; }).url();
  }

  const Result<PulledFile> file = pull_from(url + "/m.gguf");

  EXPECT_EQ(file.error().code, ErrorCode::kServerUnreachable);
  EXPECT_THAT(file.error().message, HasSubstr("cannot reach"));
}

TEST_F(PullTest, StopsWhenAsked) {
  const HttpServerFake server([&](const Request& request) {
    cancelled_ = true;
    return serve_file(request, kContents, "\"v1\"");
  });

  EXPECT_EQ(pull_from(server.url() + "/m.gguf").error().code, ErrorCode::kCancelled);
  EXPECT_EQ(pull_from(folder_.write("m.gguf", kContents)).error().code, ErrorCode::kCancelled);
}

TEST_F(PullTest, RefusesASecondPullOfTheSameFile) {
  ASSERT_TRUE(create_directories(folder_.path("models")).ok());
  const File other = *File::open_for_appending(models("m.gguf.part"));
  ASSERT_EQ(::flock(other.fd(), LOCK_EX | LOCK_NB), 0);

  const Result<PulledFile> file = pull_from(folder_.write("m.gguf", kContents));

  ASSERT_FALSE(file.ok());
  EXPECT_THAT(file.error().message, HasSubstr("is being written by another pull"));
}

TEST_F(PullTest, TakesNoPlainHttpFromElsewhereAndNoNamelessSource) {
  EXPECT_EQ(pull_from("http://example.org/m.gguf").error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(pull_from("ftp://example.org/m.gguf").error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(pull_from("https://example.org").error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(pull_from("https://example.org/models/").error().code, ErrorCode::kInvalidValue);
}

TEST(FileNameOfSource, IsTheLastPartOfThePath) {
  EXPECT_EQ(*file_name_of_source("https://example.org/a/m.gguf?x=/y#z"), "m.gguf");
  EXPECT_EQ(*file_name_of_source("/models/m.gguf"), "m.gguf");
  for (const char* bad : {"", "/models/", "..", "https://example.org", "a/.hidden", "a/\x1b[2J"}) {
    EXPECT_FALSE(file_name_of_source(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace llama_gpu::app
