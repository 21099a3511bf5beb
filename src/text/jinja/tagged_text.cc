// SPDX-License-Identifier: Apache-2.0
#include "text/jinja/tagged_text.h"

#include <algorithm>

namespace llama_gpu::text::jinja {

Origin TaggedText::origin_of_run(size_t run) const {
  if (run % 2 == 0) return first_;
  return first_ == Origin::kTemplate ? Origin::kMessage : Origin::kTemplate;
}

size_t TaggedText::run_at(size_t index) const {
  return static_cast<size_t>(std::upper_bound(borders_.begin(), borders_.end(), index) - borders_.begin());
}

Origin TaggedText::origin_at(size_t index) const { return origin_of_run(run_at(index)); }

void TaggedText::append(std::string_view bytes, Origin origin) {
  if (bytes.empty()) return;
  if (bytes_.empty()) {
    first_ = origin;
  } else if (origin_of_run(borders_.size()) != origin) {
    borders_.push_back(bytes_.size());
  }
  bytes_.append(bytes);
}

void TaggedText::append(const TaggedText& other, size_t begin, size_t end) {
  for (size_t run = other.run_at(begin); begin < end; ++run) {
    const size_t stop = run < other.borders_.size() ? std::min(other.borders_[run], end) : end;
    append(std::string_view(other.bytes_).substr(begin, stop - begin), other.origin_of_run(run));
    begin = stop;
  }
}

TaggedText TaggedText::slice(size_t begin, size_t end) const {
  TaggedText part;
  part.append(*this, begin, end);
  return part;
}

std::vector<TextSpan> TaggedText::spans() const {
  std::vector<TextSpan> spans;
  spans.reserve(num_runs());
  for (size_t begin = 0, run = 0; begin < bytes_.size(); ++run) {
    const size_t end = run < borders_.size() ? borders_[run] : bytes_.size();
    spans.push_back({bytes_.substr(begin, end - begin), origin_of_run(run) == Origin::kTemplate});
    begin = end;
  }
  return spans;
}

}  // namespace llama_gpu::text::jinja
