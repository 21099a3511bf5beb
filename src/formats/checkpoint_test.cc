// SPDX-License-Identifier: Apache-2.0
#include "formats/checkpoint.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/failpoint.h"
#include "formats/gguf_reader.h"
#include "formats/gguf_writer.h"
#include "support/gguf_parts.h"
#include "support/tiny_model.h"

namespace llama_gpu::formats {
namespace {

namespace fs = std::filesystem;
using test_support::gguf_entry;
using test_support::GgufParts;
using test_support::le;
using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// A folder of its own for each test, removed with it.
class OpenCheckpoint : public testing::Test {
 protected:
  OpenCheckpoint() {
    std::string pattern = testing::TempDir() + "checkpointXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~OpenCheckpoint() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }

  std::string write(const std::string& bytes) const {
    std::ofstream(path("file"), std::ios::binary) << bytes;
    return path("file");
  }

  std::string write_model() const {
    GgufWriter writer;
    writer.add_string("general.architecture", "llama");
    writer.add_tensor("matrix", DType::kF32, std::vector<int64_t>{2, 3}, std::string(24, 'm'));
    writer.add_tensor("vector", DType::kF32, std::vector<int64_t>{3}, std::string(12, 'v'));
    writer.add_tensor("cube", DType::kF16, std::vector<int64_t>{2, 2, 5}, std::string(40, 'c'));
    writer.add_tensor("large", DType::kF32, std::vector<int64_t>{64, 1024}, std::string(64 * 4096, 'l'));
    EXPECT_TRUE(writer.write(path("model.gguf")).ok());
    return path("model.gguf");
  }

  Error error_of(const std::string& path) const {
    const auto checkpoint = open_checkpoint(path);
    return checkpoint.ok() ? Error{ErrorCode::kInternal, "opened"} : checkpoint.error();
  }

  fs::path folder_;
};

TEST_F(OpenCheckpoint, GivesMetadataAndTensors) {
  const std::string file = write_model();

  const auto opened = open_checkpoint(file);

  ASSERT_TRUE(opened.ok()) << opened.error().message;
  const Checkpoint& checkpoint = **opened;
  EXPECT_EQ(checkpoint.path(), file);
  EXPECT_EQ(checkpoint.size_bytes(), fs::file_size(file));
  EXPECT_EQ(checkpoint.metadata().string("general.architecture").value(), "llama");
  EXPECT_EQ(checkpoint.tensors().size(), 4u);
  EXPECT_THAT(checkpoint.warnings(), IsEmpty());

  const Result<HostTensor> matrix = checkpoint.tensor("matrix", 2, 3);
  ASSERT_TRUE(matrix.ok()) << matrix.error().message;
  EXPECT_EQ(matrix->dtype, DType::kF32);
  EXPECT_EQ(matrix->bytes.size(), 24u);
  EXPECT_EQ(matrix->bytes.front(), std::byte{'m'});
  EXPECT_TRUE(checkpoint.tensor("vector", 1, 3).ok());
  EXPECT_TRUE(checkpoint.tensor("cube", 4, 5).ok());
}

TEST_F(OpenCheckpoint, NamesATensorThatIsMissingOrOfAnotherShape) {
  const auto checkpoint = open_checkpoint(write_model());

  EXPECT_EQ((*checkpoint)->find("nothing"), nullptr);
  EXPECT_EQ((*checkpoint)->tensor("nothing", 2, 3).error().message,
            "tensor 'nothing' of shape [2, 3] is missing");
  const Error shape = (*checkpoint)->tensor("matrix", 3, 2).error();
  EXPECT_EQ(shape.code, ErrorCode::kModelInvalid);
  EXPECT_EQ(shape.message, "tensor 'matrix' has shape [2, 3], expected [3, 2]");
  EXPECT_TRUE(shape.byte_offset.has_value());
  EXPECT_FALSE((*checkpoint)->tensor("cube", 2, 10).ok());
}

TEST_F(OpenCheckpoint, AnEmptyTensorFailsWhereItIsUsed) {
  GgufWriter writer;
  writer.add_tensor("none", DType::kF32, std::vector<int64_t>{0, 3}, "");
  ASSERT_TRUE(writer.write(path("none.gguf")).ok());

  const auto checkpoint = open_checkpoint(path("none.gguf"));

  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
  EXPECT_FALSE((*checkpoint)->tensor("none", 1, 3).ok());
}

TEST_F(OpenCheckpoint, ReleasedPagesCanBeReadAgain) {
  const auto checkpoint = open_checkpoint(write_model());
  for (const auto& [name, rows, cols] : {std::tuple{"large", 64, 1024}, {"vector", 1, 3}}) {
    const HostTensor tensor = (*checkpoint)->tensor(name, rows, cols).value();

    (*checkpoint)->release_pages(tensor);

    EXPECT_EQ(tensor.bytes.front(), static_cast<std::byte>(name[0]));
    EXPECT_EQ(tensor.bytes.back(), static_cast<std::byte>(name[0]));
  }
}

TEST_F(OpenCheckpoint, TellsAFileByItsContentNotItsName) {
  const std::string file = write_model();
  fs::rename(file, path("model.zip"));

  EXPECT_TRUE(open_checkpoint(path("model.zip")).ok());
}

TEST_F(OpenCheckpoint, FollowsALink) {
  fs::create_symlink(write_model(), path("link"));

  EXPECT_TRUE(open_checkpoint(path("link")).ok());
}

TEST_F(OpenCheckpoint, RefusesWhatIsNoFile) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  fs::create_symlink(path("nothing"), path("link"));
  fs::create_symlink(path("loop"), path("loop"));
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path("socket").c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ::close(socket);

  EXPECT_EQ(error_of(path("nothing")).code, ErrorCode::kFileNotFound);
  EXPECT_THAT(error_of(path("link")).message, HasSubstr("is a link to a file that is not there"));
  EXPECT_EQ(error_of(path("loop")).code, ErrorCode::kFileNotFound);
  EXPECT_EQ(error_of("").code, ErrorCode::kFileNotFound);
  const std::pair<std::string, const char*> others[] = {{folder_, "is a folder"},
                                                        {path("pipe"), "is a pipe"},
                                                        {path("socket"), "is a socket"},
                                                        {"/dev/zero", "is a device"}};
  for (const auto& [other, what] : others) {
    EXPECT_EQ(error_of(other).code, ErrorCode::kNotAFile);
    EXPECT_THAT(error_of(other).message, HasSubstr(what));
  }
}

TEST_F(OpenCheckpoint, RefusesAnEmptyFileAndOnesOfAFewBytes) {
  EXPECT_EQ(error_of(write("")).code, ErrorCode::kModelTruncated);
  EXPECT_EQ(error_of(write("G")).code, ErrorCode::kModelTruncated);
  EXPECT_EQ(error_of(write("GGU")).code, ErrorCode::kModelTruncated);
  EXPECT_EQ(error_of(write("GGUF")).code, ErrorCode::kModelTruncated);
  EXPECT_EQ(error_of(write("XY")).code, ErrorCode::kModelInvalid);
}

TEST_F(OpenCheckpoint, SaysWhatAForeignFileIs) {
  const struct {
    std::string bytes;
    ErrorCode code;
    const char* message;
  } rows[] = {
      {"PK\x03\x04.....", ErrorCode::kUnsupportedModel, "a ZIP archive"},
      {"\x80\x02}q", ErrorCode::kUnsupportedModel, "a Python pickle"},
      {le(uint64_t{10}) + "{\"a\":[]}", ErrorCode::kUnsupportedModel, "a safetensors file"},
      {"lmgg....", ErrorCode::kUnsupportedModel, "older than GGUF"},
      {"version https://git-lfs.github.com/spec/v1\n", ErrorCode::kModelInvalid, "a Git LFS pointer"},
      {"<!DOCTYPE html>", ErrorCode::kModelInvalid, "a web page"},
      {"\x01\x02\x03\x04", ErrorCode::kModelInvalid, "begins with '\\x01\\x02\\x03\\x04', expected 'GGUF'"},
  };
  for (const auto& row : rows) {
    const Error error = error_of(write(row.bytes));
    EXPECT_EQ(error.code, row.code);
    EXPECT_THAT(error.message, HasSubstr(row.message));
    EXPECT_EQ(error.byte_offset, 0u);
  }
}

TEST_F(OpenCheckpoint, RefusesASparseFileOfOneTebibyteAtOnce) {
  const std::string file = write("");
  ASSERT_EQ(::truncate(file.c_str(), off_t{1} << 40), 0);

  EXPECT_EQ(error_of(file).code, ErrorCode::kModelInvalid);
}

TEST_F(OpenCheckpoint, ASparseTailOfOneTebibyteIsOnlyWarnedAbout) {
  const std::string file = write_model();
  ASSERT_EQ(::truncate(file.c_str(), off_t{1} << 40), 0);

  const auto checkpoint = open_checkpoint(file);

  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
  EXPECT_THAT((*checkpoint)->warnings(), ElementsAre(HasSubstr("bytes behind the last tensor are ignored")));
}

TEST_F(OpenCheckpoint, RefusesAPartOfASplitModel) {
  const auto with_parts = [&](uint16_t count) {
    return write(GgufParts{.entries = {gguf_entry("split.count", GgufType::kUint16, le(count)),
                                       gguf_entry("split.no", GgufType::kUint16, le(uint16_t{1}))}}
                     .bytes());
  };

  EXPECT_THAT(error_of(with_parts(3)).message, HasSubstr("part 2 of 3 of a split model"));
  EXPECT_EQ(error_of(with_parts(65535)).code, ErrorCode::kUnsupportedModel);
  EXPECT_TRUE(open_checkpoint(with_parts(0)).ok());
  EXPECT_TRUE(open_checkpoint(with_parts(1)).ok());
}

TEST_F(OpenCheckpoint, AnErrorNamesTheFileAndTheByte) {
  const Error error = error_of(write(GgufParts{.version = 9}.bytes()));

  EXPECT_THAT(error.message, AllOf(StartsWith(quoted_name(path("file"))),
                                   HasSubstr("': the file is of GGUF version 9"), EndsWith(", at byte 4")));
  EXPECT_EQ(error.byte_offset, 4u);
}

TEST_F(OpenCheckpoint, SaysOnlyOnceWhereTheFileIsCut) {
  const Error error = error_of(write(std::string("GGUF\3\0\0\0", 8) + "1234"));

  EXPECT_EQ(error.message, quoted_name(path("file")) +
                               ": the number of tensors needs 8 bytes, the input has 4 left, at byte 8");
}

TEST_F(OpenCheckpoint, ReportsAMappingThatFails) {
  const std::string file = write_model();
  const ScopedFailpoints failpoints("model_file.map=error:out_of_memory");

  EXPECT_EQ(error_of(file).code, ErrorCode::kOutOfMemory);
}

TEST_F(OpenCheckpoint, SeesThatAFileChanged) {
  const auto changed_by = [&](auto change) {
    const std::string file = write_model();
    const auto checkpoint = open_checkpoint(file).value().release();
    const std::unique_ptr<Checkpoint> owner(checkpoint);
    EXPECT_TRUE(checkpoint->verify_unchanged().ok());
    change(file);
    const Status status = checkpoint->verify_unchanged();
    return status.ok() ? Error{} : status.error();
  };

  const Error vanished = changed_by([](const std::string& file) { fs::remove(file); });
  EXPECT_EQ(vanished.code, ErrorCode::kModelChanged);
  EXPECT_THAT(vanished.message, HasSubstr("vanished since it was opened"));

  const Error shrunk = changed_by([](const std::string& file) { fs::resize_file(file, 100); });
  EXPECT_EQ(shrunk.code, ErrorCode::kModelChanged);
  EXPECT_THAT(shrunk.message, HasSubstr("changed since it was opened"));

  const Error grown = changed_by([](const std::string& file) { std::ofstream(file, std::ios::app) << "x"; });
  EXPECT_EQ(grown.code, ErrorCode::kModelChanged);

  const Error rewritten = changed_by([](const std::string& file) {
    const timespec times[2] = {{1, 0}, {1, 0}};
    ::utimensat(AT_FDCWD, file.c_str(), times, 0);
  });
  EXPECT_EQ(rewritten.code, ErrorCode::kModelChanged);

  const Error replaced = changed_by([&](const std::string& file) {
    fs::rename(file, path("old"));
    fs::create_symlink(path("other"), file);
  });
  EXPECT_EQ(replaced.code, ErrorCode::kModelChanged);
}

TEST_F(OpenCheckpoint, OpensATinyModelOfEachTypeAndTokenizer) {
  for (const DTypeInfo& type : all_dtypes()) {
    for (const auto tokenizer :
         {test_support::TinyTokenizer::kByteBpe, test_support::TinyTokenizer::kSentencePiece}) {
      const test_support::TinyModelOptions options{
          .dtype = type.dtype, .model_dim = 256, .ffn_dim = 256, .num_layers = 1, .tokenizer = tokenizer};
      ASSERT_TRUE(test_support::write_tiny_llama(path("tiny.gguf"), options).ok());

      const auto checkpoint = open_checkpoint(path("tiny.gguf"));

      ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message;
      EXPECT_TRUE((*checkpoint)->tensor("blk.0.attn_k.weight", 128, 256).ok());
      EXPECT_EQ((*(*checkpoint)->metadata().strings("tokenizer.ggml.tokens"))->size(), 320u);
      EXPECT_THAT((*checkpoint)->warnings(), IsEmpty());
    }
  }
}

}  // namespace
}  // namespace llama_gpu::formats
