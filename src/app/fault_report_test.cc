// SPDX-License-Identifier: Apache-2.0
#include "app/fault_report.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "base/temporary_folder_fake.h"
#include "formats/mapped_file.h"

namespace llama_gpu::app {
namespace {

TEST(FaultReportDeathTest, SaysThatAMappedFileWasCutShort) {
  const TemporaryFolder folder;
  const std::string path = folder.write("model", std::string(100'000, 'x'));
  const formats::MappedFile file = *formats::MappedFile::open(path);
  std::filesystem::resize_file(path, 10);
  const auto read_it = [&] {
    report_cut_files();
    const volatile std::byte gone = file.bytes()[99'999];
    std::exit(static_cast<int>(gone));
  };

  EXPECT_EXIT(read_it(), testing::ExitedWithCode(66),
              "^llama-gpu: a model file was cut short while it was read");
}

TEST(FaultReportDeathTest, LeavesOtherFaultsAsTheyAre) {
  const auto fail = [] {
    report_cut_files();
    std::raise(SIGBUS);
  };

  EXPECT_EXIT(fail(), testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace llama_gpu::app
