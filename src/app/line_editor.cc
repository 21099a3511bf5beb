// SPDX-License-Identifier: Apache-2.0
#include "app/line_editor.h"

#include <histedit.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cwchar>
#include <filesystem>

#include "base/file.h"
#include "base/log.h"

namespace llama_gpu::app {
namespace {

constexpr int kHistoryLines = 1000;

// libedit behind the interface.
class TerminalEditor final : public LineEditor {
 public:
  TerminalEditor(std::FILE* in, std::FILE* out, std::FILE* err, std::string history_path)
      : history_path_(std::move(history_path)),
        history_(::history_init()),
        editor_(::el_init("llama-gpu", in, out, err)) {
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, kHistoryLines);
    ::history(history_, &event, H_SETUNIQUE, 1);
    if (!history_path_.empty()) ::history(history_, &event, H_LOAD, history_path_.c_str());
    ::el_set(editor_, EL_CLIENTDATA, this);
    ::el_set(editor_, EL_PROMPT, show_prompt);
    ::el_set(editor_, EL_EDITOR, "emacs");
    ::el_set(editor_, EL_HIST, ::history, history_);
    ::el_wset(editor_, EL_GETCFN, read_char);
    ::el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  }

  ~TerminalEditor() override {
    save();
    ::el_end(editor_);
    ::history_end(history_);
  }

  Line read(const std::string& prompt) override {
    prompt_ = prompt;
    int count = 0;
    errno = 0;
    const char* const line = ::el_gets(editor_, &count);
    if (line == nullptr || count <= 0)
      return {count < 0 && errno == EINTR ? End::kInterrupted : End::kEndOfInput};
    std::string text(line, size_t(count));
    if (text.ends_with('\n')) text.pop_back();
    return {End::kLine, std::move(text)};
  }

  void remember(const std::string& line) override {
    HistEvent event;
    ::history(history_, &event, H_ENTER, line.c_str());
  }

 private:
  static char* show_prompt(EditLine* editor) {
    void* self = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &self);
    return static_cast<TerminalEditor*>(self)->prompt_.data();
  }

  // libedit's own reads again after the first signal, so that Ctrl-C would be lost.
  static int read_char(EditLine* editor, wchar_t* out) {
    std::FILE* in = nullptr;
    ::el_get(editor, EL_GETFP, 0, &in);
    std::mbstate_t state{};
    for (;;) {
      char byte = 0;
      const ssize_t num_read = ::read(::fileno(in), &byte, 1);
      if (num_read <= 0) return int(num_read);
      const size_t length = std::mbrtowc(out, &byte, 1, &state);
      if (length == size_t(-1)) {
        state = {};  // a byte that begins no character is left out
      } else if (length != size_t(-2)) {
        return 1;
      }
    }
  }

  void save() {
    if (history_path_.empty()) return;
    const Status folder = create_directories(std::filesystem::path(history_path_).parent_path().string());
    HistEvent event;
    // What somebody asked is theirs alone.
    const mode_t old_mask = ::umask(077);
    const bool saved = folder.ok() && ::history(history_, &event, H_SAVE, history_path_.c_str()) >= 0;
    ::umask(old_mask);
    if (!saved) log_warning("the history could not be saved", {{"path", history_path_}});
  }

  std::string history_path_;
  std::string prompt_;
  History* history_;
  EditLine* editor_;
};

class StreamEditor final : public LineEditor {
 public:
  explicit StreamEditor(std::istream& in) : in_(in) {}

  Line read(const std::string&) override {
    std::string text;
    if (!std::getline(in_, text)) return {End::kEndOfInput};
    return {End::kLine, std::move(text)};
  }
  void remember(const std::string&) override {}

 private:
  std::istream& in_;
};

}  // namespace

std::unique_ptr<LineEditor> make_terminal_editor(std::FILE* in, std::FILE* out, std::FILE* err,
                                                 std::string history_path) {
  return std::make_unique<TerminalEditor>(in, out, err, std::move(history_path));
}

std::unique_ptr<LineEditor> make_stream_editor(std::istream& in) {
  return std::make_unique<StreamEditor>(in);
}

}  // namespace llama_gpu::app
