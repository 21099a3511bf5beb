// SPDX-License-Identifier: Apache-2.0
#include "app/pull.h"

#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include "app/present_file.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "formats/checkpoint.h"
#include "formats/mapped_file.h"

namespace llama_gpu::app {
namespace {

// Space left free on the disk beside the file.
constexpr uint64_t kDiskReserveBytes = 16 << 20;

bool is_gguf_name(std::string_view path) { return to_lower(path).ends_with(".gguf"); }

// Damage only: a model that this program cannot run is still what was asked for.
Status check_gguf(const std::string& path) {
  const auto checkpoint = formats::open_checkpoint(path);
  if (checkpoint.ok()) return {};
  if (checkpoint.error().code != ErrorCode::kUnsupportedModel) return checkpoint.error();
  log_warning("this program cannot run the model", {{"reason", checkpoint.error().message}});
  return {};
}

// One pull on its way. One thread.
class Pull {
 public:
  Pull(const PullOptions& options, const HttpClient& http, const std::atomic<bool>& cancelled,
       std::string path)
      : options_(options), http_(http), cancelled_(cancelled), path_(std::move(path)) {}

  Result<PulledFile> run();

 private:
  // What is known of the source that a .part came from.
  struct SourceNote {
    std::string source;
    std::string version;  // ETag, or Last-Modified; empty: the server gave none
  };

  std::string part_path() const { return path_ + ".part"; }
  std::string note_path() const { return path_ + ".part.source"; }

  Result<std::optional<PulledFile>> already_there() const;
  Status lock_part();
  Status copy();
  Status download();
  Status attempt();
  Status take_response(const HttpResponse& response, uint64_t asked_from);
  Status begin_body(const HttpResponse& response, uint64_t asked_from);
  Status check_room() const;
  Status append(std::string_view bytes);
  Status verify() const;
  Status check_model() const;
  Status remember_source(const HttpResponse& response) const;
  SourceNote read_note() const;
  Status start_over();
  Error add_resume_hint(Error error) const;

  const PullOptions& options_;
  const HttpClient& http_;
  const std::atomic<bool>& cancelled_;
  std::string path_;
  File part_;
  uint64_t done_bytes_ = 0;
  uint64_t total_bytes_ = 0;  // 0: not known
  bool body_begun_ = false;
  Status body_status_;  // of the writing side, while curl reads
};

Result<std::optional<PulledFile>> Pull::already_there() const {
  if (options_.replace || !File::open_for_reading(path_).ok()) return std::optional<PulledFile>();
  TRY(PulledFile file, compare_present_file(path_, options_, http_, cancelled_));
  return std::optional(std::move(file));
}

Status Pull::lock_part() {
  TRY(part_, File::open_for_appending(part_path()));
  // Two writers would mix their bytes.
  if (::flock(part_.fd(), LOCK_EX | LOCK_NB) != 0) {
    return Error{ErrorCode::kIoFailed, "'" + part_path() + "' is being written by another pull",
                 "wait until that one has ended"};
  }
  TRY(done_bytes_, part_.size_bytes());
  return {};
}

Result<PulledFile> Pull::run() {
  TRY(const std::optional<PulledFile> present, already_there());
  if (present) return *present;
  TRY_STATUS(create_directories(options_.folder));
  TRY_STATUS(lock_part());

  const Status fetched = is_url(options_.source) ? download() : copy();
  if (!fetched.ok()) return add_resume_hint(fetched.error());
  if (const Status verified = verify(); !verified.ok()) {
    if (verified.error().code != ErrorCode::kCancelled) {
      ::unlink(part_path().c_str());
      ::unlink(note_path().c_str());
    }
    return verified.error();
  }
  TRY_STATUS(check_model());
  TRY_STATUS(part_.sync());
  TRY_STATUS(rename_durably(part_path(), path_));
  ::unlink(note_path().c_str());
  return PulledFile{path_, done_bytes_, false};
}

Error Pull::add_resume_hint(Error error) const {
  const bool is_kept = error.code == ErrorCode::kDiskFull || error.code == ErrorCode::kDownloadFailed ||
                       error.code == ErrorCode::kServerUnreachable || error.code == ErrorCode::kCancelled;
  if (done_bytes_ == 0) {
    ::unlink(part_path().c_str());
    ::unlink(note_path().c_str());
  } else if (is_kept) {
    error.hint = fmt::format("{}{}the {} so far are kept in '{}': pull again to go on from there", error.hint,
                             error.hint.empty() ? "" : "; ", format_size(done_bytes_), part_path());
  }
  return error;
}

Status Pull::check_room() const {
  const uint64_t needed_bytes = total_bytes_ - std::min(total_bytes_, done_bytes_);
  TRY(const uint64_t free_bytes, free_disk_bytes(options_.folder));
  if (free_bytes >= needed_bytes + kDiskReserveBytes) return {};
  const std::string needed = total_bytes_ == 0 ? "an unknown size" : format_size(needed_bytes);
  return Error{ErrorCode::kDiskFull,
               fmt::format("not enough room in '{}': {} needed beside a reserve of {}, {} free",
                           options_.folder, needed, format_size(kDiskReserveBytes), format_size(free_bytes)),
               "free some space, or choose a folder on another disk (models.dir)"};
}

Status Pull::append(std::string_view bytes) {
  Status written = part_.write(bytes);
  if (!written.ok()) {
    // Some of it may stand there: what counts is what the file has.
    const Result<uint64_t> size_bytes = part_.size_bytes();
    done_bytes_ = size_bytes.ok() ? *size_bytes : done_bytes_;
    return written;
  }
  done_bytes_ += bytes.size();
  if (options_.on_progress) options_.on_progress(done_bytes_, total_bytes_);
  return {};
}

Status Pull::copy() {
  TRY_STATUS(formats::check_model_path(options_.source));
  if (is_gguf_name(path_)) TRY_STATUS(check_gguf(options_.source));
  TRY(const File source, File::open_for_reading(options_.source));
  TRY(total_bytes_, source.size_bytes());
  TRY_STATUS(start_over());
  TRY_STATUS(check_room());
  std::vector<std::byte> chunk(size_t{4} << 20);
  for (;;) {
    if (cancelled_) return Error{ErrorCode::kCancelled, "stopped"};
    TRY(const size_t num_read, source.pread(chunk, done_bytes_));
    if (num_read == 0) return {};
    TRY_STATUS(append({reinterpret_cast<const char*>(chunk.data()), num_read}));
  }
}

// The note goes, too: it must never stand beside bytes of another source.
Status Pull::start_over() {
  TRY_STATUS(part_.truncate(0));
  ::unlink(note_path().c_str());
  done_bytes_ = 0;
  return {};
}

Pull::SourceNote Pull::read_note() const {
  const Result<std::string> text = read_file(note_path(), 64 << 10);
  if (!text.ok()) return {};
  const auto [source, version] = split_once(*text, '\n');
  return {std::string(source), std::string(trim(version))};
}

Status Pull::remember_source(const HttpResponse& response) const {
  // If-Range takes strong validators only.
  std::string_view version = response.header("etag");
  if (version.empty() || version.starts_with("W/")) version = response.header("last-modified");
  return write_file_atomically(note_path(), fmt::format("{}\n{}\n", options_.source, version));
}

Status Pull::download() {
  if (read_note().source != options_.source) TRY_STATUS(start_over());
  uint64_t most_bytes = done_bytes_;
  for (int num_vain = 0;;) {
    const Status status = attempt();
    if (status.ok() || status.error().code != ErrorCode::kDownloadFailed) return status;
    // Attempts that brought the file further do not count: a bad line may break off often.
    num_vain = done_bytes_ > most_bytes ? 1 : num_vain + 1;
    most_bytes = std::max(most_bytes, done_bytes_);
    if (num_vain >= options_.max_attempts || cancelled_) return status;
    log_warning("download broke off, going on", {{"reason", status.error().message}, {"bytes", done_bytes_}});
    std::this_thread::sleep_for(options_.retry_delay * (1 << (num_vain - 1)));
  }
}

Status Pull::attempt() {
  const uint64_t asked_from = done_bytes_;
  HttpRequest request{.url = options_.source, .body = {}, .headers = {"Accept-Encoding: identity"}};
  request.follow_redirects = true;
  if (asked_from > 0) {
    request.headers.push_back(fmt::format("Range: bytes={}-", asked_from));
    if (const SourceNote note = read_note(); !note.version.empty()) {
      request.headers.push_back("If-Range: " + note.version);
    }
  }
  body_begun_ = false;
  body_status_ = {};
  request.on_body = [&](const HttpResponse& so_far, std::string_view bytes) {
    if (!body_begun_) body_status_ = begin_body(so_far, asked_from);
    body_begun_ = true;
    if (body_status_.ok()) body_status_ = append(bytes);
    return body_status_.ok();
  };
  TRY(const HttpResponse response, http_.send(request));
  TRY_STATUS(std::move(body_status_));
  return take_response(response, asked_from);
}

// Before the first byte: whether it continues what is there, and whether there is room for all.
Status Pull::begin_body(const HttpResponse& response, uint64_t asked_from) {
  if (response.status != 206) {
    TRY_STATUS(start_over());
  } else if (!response.header("content-range").starts_with(fmt::format("bytes {}-", asked_from))) {
    TRY_STATUS(start_over());
    return Error{ErrorCode::kDownloadFailed, "the server sent another part of the file than was asked for"};
  }
  const std::optional<int64_t> length = parse_integer(response.header("content-length"));
  total_bytes_ = length && *length > 0 ? done_bytes_ + uint64_t(*length) : 0;
  TRY_STATUS(remember_source(response));
  return check_room();
}

Status Pull::take_response(const HttpResponse& response, uint64_t asked_from) {
  if (response.status == 416 && asked_from > 0) {
    // "bytes */SIZE": either all of it is there already, or the part is of another file.
    if (response.header("content-range") == fmt::format("bytes */{}", asked_from)) return {};
    TRY_STATUS(start_over());
    return Error{ErrorCode::kDownloadFailed,
                 "the part that was there is larger than the file: fetching it anew"};
  }
  if (response.status >= 500) {
    return Error{ErrorCode::kDownloadFailed,
                 fmt::format("the server answered {} for '{}'", response.status, options_.source),
                 "try again later"};
  }
  if (response.status != 200 && response.status != 206) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("the server answered {} for '{}'", response.status, options_.source),
                 "check the URL"};
  }
  if (!body_begun_) return Error{ErrorCode::kModelInvalid, "'" + options_.source + "' is an empty file"};
  return {};
}

// Before it gets its name, so that no model is there that cannot be loaded.
Status Pull::check_model() const {
  if (!is_gguf_name(path_)) return {};
  Status checked = check_gguf(part_path());
  if (checked.ok()) return {};
  Error error = std::move(checked).error();
  error.hint += fmt::format("; what came is kept in '{}': remove that to fetch all of it again", part_path());
  return error;
}

Status Pull::verify() const {
  if (!options_.sha256.empty()) {
    TRY(const std::string actual, sha256_of_file(part_path(), cancelled_));
    if (actual == to_lower(options_.sha256)) return {};
    return Error{ErrorCode::kChecksumMismatch,
                 "the file's SHA-256 is " + actual + ", expected " + to_lower(options_.sha256),
                 "it was removed: check the source and the checksum"};
  }
  TRY(const File file, File::open_for_reading(part_path()));
  std::array<std::byte, 4> magic{};
  TRY(const size_t num_read, file.pread(magic, 0));
  const std::string_view text(reinterpret_cast<const char*>(magic.data()), num_read);
  if (trim(text).starts_with('<')) {
    return Error{ErrorCode::kModelInvalid,
                 "a web page came instead of a model from '" + options_.source + "'",
                 "it was removed: give the address of the file itself"};
  }
  if (text != "GGUF" && !is_gguf_name(path_)) log_warning("the file is not a GGUF model", {{"path", path_}});
  return {};
}

}  // namespace

bool is_url(const std::string& source) { return source.find("://") != std::string::npos; }

Result<std::string> file_name_of_source(const std::string& source) {
  std::string_view path = source;
  if (is_url(source)) path = path.substr(0, path.find_first_of("?#"));
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const bool is_host_only = is_url(source) && std::ranges::count(path, '/') < 3;
  if (name.empty() || name.starts_with('.') || is_host_only || !is_valid_utf8(name) || name.size() > 200 ||
      escape_line(name) != name) {
    return Error{ErrorCode::kInvalidValue, "'" + escape_line(source, 300) + "' does not end in a file name",
                 "give the address of a model file"};
  }
  return std::string(name);
}

Result<PulledFile> pull(const PullOptions& options, const HttpClient& http,
                        const std::atomic<bool>& cancelled) {
  if (!options.sha256.empty() && !is_sha256(options.sha256)) {
    return Error{ErrorCode::kInvalidValue, "'" + escape_line(options.sha256, 100) + "' is not a SHA-256",
                 "it has 64 hexadecimal digits", "sha256"};
  }
  if (is_url(options.source) && !is_allowed_url(options.source)) {
    return Error{ErrorCode::kInvalidValue, "'" + escape_line(options.source, 300) + "' is not an https URL",
                 "plain http is taken for this machine only"};
  }
  TRY(const std::string name, file_name_of_source(options.source));
  const std::string path = (std::filesystem::path(options.folder) / name).string();
  std::error_code ignored;
  if (!is_url(options.source) && std::filesystem::equivalent(options.source, path, ignored)) {
    return PulledFile{path, std::filesystem::file_size(path, ignored), true};
  }
  return Pull(options, http, cancelled, path).run();
}

}  // namespace llama_gpu::app
