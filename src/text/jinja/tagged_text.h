// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace llama_gpu::text::jinja {

// Who wrote a character: the model's template, or a message (and with it whoever sent the request).
enum class Origin : uint8_t { kTemplate, kMessage };

// Text in which each byte has an origin.
//
// Origins alternate from run to run, so the runs are kept as the first one's origin and the borders between
// them; text from one source, the usual case, has no border and costs no more than a string.
class TaggedText {
 public:
  TaggedText() = default;
  TaggedText(std::string bytes, Origin origin) : bytes_(std::move(bytes)), first_(origin) {}

  std::string_view bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  // Heap bytes that the text holds, with what is kept free for more of it.
  size_t footprint_bytes() const { return bytes_.capacity() + borders_.capacity() * sizeof(size_t); }
  // What a pass over the text goes through: its bytes and its borders.
  size_t pass_bytes() const { return bytes_.size() + borders_.size() * sizeof(size_t); }

  // Whether any byte is a message's.
  bool has_message() const { return !bytes_.empty() && (first_ == Origin::kMessage || !borders_.empty()); }
  // kMessage when any byte is: for results that cannot be told apart byte by byte.
  Origin joint_origin() const { return has_message() ? Origin::kMessage : Origin::kTemplate; }
  // REQUIRES: index < size().
  Origin origin_at(size_t index) const;

  // Adds bytes of one origin.
  void append(std::string_view bytes, Origin origin);
  void append(const TaggedText& other) { append(other, 0, other.size()); }
  // Bytes [begin, end) of `other`. REQUIRES: begin <= end <= other.size(), &other != this.
  void append(const TaggedText& other, size_t begin, size_t end);
  // Bytes [begin, end). REQUIRES: begin <= end <= size().
  TaggedText slice(size_t begin, size_t end) const;

  // Runs of one origin.
  size_t num_runs() const { return borders_.size() + 1; }
  // One span for each run, neighbours of one origin merged; a template's runs have parse_special.
  std::vector<TextSpan> spans() const;

 private:
  Origin origin_of_run(size_t run) const;
  // Index of the run that holds byte `index`.
  size_t run_at(size_t index) const;

  std::string bytes_;
  Origin first_ = Origin::kTemplate;
  std::vector<size_t> borders_;  // rising byte offsets at which the origin changes
};

}  // namespace llama_gpu::text::jinja
