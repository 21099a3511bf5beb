// SPDX-License-Identifier: Apache-2.0
#include "app/line_editor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <sstream>
#include <thread>

#include "base/temporary_folder_fake.h"

namespace llama_gpu::app {
namespace {

using ::testing::HasSubstr;

TEST(StreamEditor, GivesLinesUntilTheEnd) {
  std::istringstream in("one\ntwo");
  const std::unique_ptr<LineEditor> editor = make_stream_editor(in);

  EXPECT_EQ(editor->read("> ").text, "one");
  EXPECT_EQ(editor->read("> ").text, "two");
  EXPECT_EQ(editor->read("> ").end, LineEditor::End::kEndOfInput);
}

// An editor on a terminal whose other end the test holds.
class TerminalEditorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int terminal = -1;
    ASSERT_EQ(::openpty(&keyboard_, &terminal, nullptr, nullptr, nullptr), 0);
    in_ = ::fdopen(terminal, "r");
    out_ = ::fdopen(::dup(terminal), "w");
    history_ = folder_.path("state/history");
    editor_ = make_terminal_editor(in_, out_, out_, history_);
  }
  void TearDown() override {
    editor_.reset();
    std::fclose(in_);
    std::fclose(out_);
    ::close(keyboard_);
  }

  // Types once the editor has taken the terminal over, which would act on the keys itself before.
  LineEditor::Line read_typed(std::string_view keys) {
    const std::jthread typist([this, keys] {
      wait_for_prompt();
      EXPECT_EQ(::write(keyboard_, keys.data(), keys.size()), ssize_t(keys.size()));
    });
    return editor_->read(">>> ");
  }

  void wait_for_prompt() const {
    std::string shown;
    char byte = 0;
    while (!shown.ends_with(">>> ") && ::read(keyboard_, &byte, 1) == 1) shown += byte;
    termios mode{};
    do {
      std::this_thread::yield();
      ::tcgetattr(keyboard_, &mode);
    } while ((mode.c_lflag & ICANON) != 0);
  }

  TemporaryFolder folder_;
  std::string history_;
  std::atomic<bool> is_answered_ = false;
  int keyboard_ = -1;
  std::FILE* in_ = nullptr;
  std::FILE* out_ = nullptr;
  std::unique_ptr<LineEditor> editor_;
};

TEST_F(TerminalEditorTest, EditsALine) {
  const LineEditor::Line line = read_typed("wrold\x02\x02\x02\x08o\n");  // three back, one deleted

  EXPECT_EQ(line.end, LineEditor::End::kLine);
  EXPECT_EQ(line.text, "woold");
}

TEST_F(TerminalEditorTest, EndsAtCtrlD) { EXPECT_EQ(read_typed("\x04").end, LineEditor::End::kEndOfInput); }

TEST_F(TerminalEditorTest, IsInterruptedByASignal) {
  struct sigaction action{}, old_action{};
  action.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &action, &old_action);
  const pthread_t reader = ::pthread_self();
  LineEditor::Line line;
  {
    const std::jthread sender([&] {
      wait_for_prompt();
      // Until the read was reached, a signal is lost: it is sent until the answer is there.
      while (!is_answered_) {
        ::pthread_kill(reader, SIGUSR1);
        std::this_thread::yield();
      }
    });
    line = editor_->read(">>> ");
    is_answered_ = true;
  }

  EXPECT_EQ(line.end, LineEditor::End::kInterrupted);
  ::sigaction(SIGUSR1, &old_action, nullptr);
}

TEST_F(TerminalEditorTest, BringsLinesBackAlsoInTheNextRun) {
  editor_->remember("first");
  editor_.reset();
  EXPECT_THAT(*read_file(history_, 1000), HasSubstr("first"));
  struct stat info{};
  ASSERT_EQ(::stat(history_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);

  editor_ = make_terminal_editor(in_, out_, out_, history_);

  EXPECT_EQ(read_typed("\x10\n").text, "first");  // Ctrl-P: the line before
}

}  // namespace
}  // namespace llama_gpu::app
