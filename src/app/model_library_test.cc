// SPDX-License-Identifier: Apache-2.0
#include "app/model_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/temporary_folder_fake.h"

namespace llama_gpu::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ModelId, LeavesExtensionAndQuantisationOut) {
  EXPECT_EQ(model_id_of_file(kDefaultModelFile), kDefaultModelId);
  EXPECT_EQ(model_id_of_file("Llama-3.2-1B-Instruct-Q4_K_M.gguf"), "llama-3.2-1b-instruct");
  EXPECT_EQ(model_id_of_file("model.F16.GGUF"), "model");
  EXPECT_EQ(model_id_of_file("model-bf16.gguf"), "model");
  EXPECT_EQ(model_id_of_file("model-IQ3_XS.gguf"), "model");
  EXPECT_EQ(model_id_of_file("qwen-2.5-q.gguf"), "qwen-2.5-q");
  EXPECT_EQ(model_id_of_file("llama-2-7b.gguf"), "llama-2-7b");
  EXPECT_EQ(model_id_of_file("q8_0.gguf"), "q8_0");
}

// A library of three files.
class ModelLibraryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write("Small-Q4_0.gguf", "1234");
    folder_.write("Big.Q4_0.gguf", "1");
    folder_.write("Big.Q8_0.gguf", "12");
    folder_.write("notes.txt", "");
    folder_.write(".hidden.gguf", "");
    std::filesystem::create_directory(folder_.path("folder.gguf"));
  }

  Result<StoredModel> find(std::string_view name) const { return library_.find(name); }

  TemporaryFolder folder_;
  ModelLibrary library_{folder_.path(), {"tiny=small", "mini=Small-Q4_0.gguf"}};
};

TEST_F(ModelLibraryTest, ListsModelsUnderUniqueIds) {
  const auto models = *library_.list();

  ASSERT_EQ(models.size(), 3U);
  EXPECT_EQ(models[0].id, "big.q4_0");
  EXPECT_EQ(models[1].id, "big.q8_0");
  EXPECT_EQ(models[2].id, "small");
  EXPECT_EQ(models[2].size_bytes, 4U);
  EXPECT_EQ(models[2].path, folder_.path("Small-Q4_0.gguf"));
  EXPECT_GT(models[2].modified_unix_seconds, 1'700'000'000);
}

TEST_F(ModelLibraryTest, FindsAModelByEveryNameOfIt) {
  for (const char* name : {"small", "SMALL", "Small-Q4_0", "small-q4_0.gguf", "tiny", "Mini"}) {
    ASSERT_TRUE(find(name).ok()) << name;
    EXPECT_EQ(find(name)->file_name, "Small-Q4_0.gguf");
  }
  EXPECT_EQ(find("big.q8_0")->size_bytes, 2U);
}

TEST_F(ModelLibraryTest, FindsAModelByPath) {
  const TemporaryFolder other;
  const std::string path = other.write("Else.Q4_1.gguf", "x");

  EXPECT_EQ(find(path)->id, "else");
  EXPECT_EQ(find(path)->path, path);
  EXPECT_EQ(find(other.path("missing.gguf")).error().code, ErrorCode::kFileNotFound);
}

TEST_F(ModelLibraryTest, NamesWhatIsNoFile) {
  const std::string pipe = folder_.path("pipe.gguf");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::pair<std::string, const char*> others[] = {
      {folder_.path(), "is a folder"}, {pipe, "is a pipe"}, {"/dev/zero", "is a device"}};

  for (const auto& [path, what] : others) {
    EXPECT_EQ(find(path).error().code, ErrorCode::kNotAFile);
    EXPECT_THAT(find(path).error().message, HasSubstr(what));
  }
  EXPECT_EQ(find("pipe").error().code, ErrorCode::kModelNotFound);
}

TEST_F(ModelLibraryTest, NamesTheChoicesOfAnAmbiguousName) {
  const Result<StoredModel> model = find("big");

  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().message, "'big' may be any of 'big.q4_0', 'big.q8_0'");
}

TEST_F(ModelLibraryTest, NamesTheNearestOfAnUnknownName) {
  const Result<StoredModel> model = find("smal");

  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().code, ErrorCode::kModelNotFound);
  EXPECT_THAT(model.error().message,
              HasSubstr("there is no model 'smal' in '" + folder_.path() + "'; did you mean 'small'?"));
}

TEST(ModelLibrary, HasNothingWhereTheFolderIsMissing) {
  EXPECT_TRUE(ModelLibrary("/nonexistent").list()->empty());
  EXPECT_FALSE(ModelLibrary("/dev/null").list().ok());
}

TEST(ModelLibrary, RefusesABrokenAlias) {
  EXPECT_EQ(ModelLibrary("/nonexistent", {"=x"}).find("y").error().code, ErrorCode::kConfigInvalid);
  EXPECT_FALSE(parse_alias("name=").ok());
  EXPECT_FALSE(parse_alias("a\nb=c").ok());
  EXPECT_EQ(parse_alias(" name = model ")->model, "model");
  EXPECT_EQ(parse_alias("name")->model, "");
}

}  // namespace
}  // namespace llama_gpu::app
