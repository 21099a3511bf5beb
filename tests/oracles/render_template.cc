// SPDX-License-Identifier: Apache-2.0
// Renders chat templates: reads JSON objects {"template", "variables", "now"?}, one a line, from standard
// input and writes for each {"text", "spans": [[text, parse_special]...]} or {"error", "hint"}.
//
// Variables become values as the server's messages do: all their text is a message's, but for bos_token and
// eos_token.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

namespace {

using Json = nlohmann::ordered_json;
using llama_gpu::text::ChatTemplateLimits;
using namespace llama_gpu::text::jinja;

Value to_value(const Json& json, Origin origin);

Value list_of(const Json& json, Origin origin) {
  Sequence list;
  for (const auto& item : json) {
    list.items.push_back(to_value(item, origin));
    list.nesting = std::max(list.nesting, list.items.back().nesting() + 1);
  }
  return std::make_shared<const Sequence>(std::move(list));
}

Value to_value(const Json& json, Origin origin) {
  if (json.is_null()) return Value(None{});
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_integer()) return Value(json.get<int64_t>());
  if (json.is_number_float()) return Value(json.get<double>());
  if (json.is_string()) return Value::text(json.get<std::string>(), origin);
  if (json.is_array()) return list_of(json, origin);
  // What is passed in counts for no rendering, so its dicts have bounds of their own.
  static Runtime unbounded({.max_steps = INT64_MAX / 2, .max_output_bytes = size_t{1} << 40}, "", 0);
  Dict dict;
  for (const auto& [key, item] : json.items()) {
    const auto inserted = dict.insert(unbounded, Value::text(key, origin), to_value(item, origin));
    if (!inserted.ok()) std::abort();
  }
  return std::make_shared<const Dict>(std::move(dict));
}

std::vector<std::pair<std::string, Value>> variables_of(const Json& json) {
  std::vector<std::pair<std::string, Value>> variables;
  for (const auto& [name, value] : json.items()) {
    const bool is_token = name == "bos_token" || name == "eos_token";
    variables.emplace_back(name, to_value(value, is_token ? Origin::kTemplate : Origin::kMessage));
  }
  return variables;
}

llama_gpu::Result<TaggedText> render(const Json& request) {
  const ChatTemplateLimits limits;
  TRY(std::shared_ptr<const Program> program,
      parse_template(request.at("template").get<std::string>(), limits.max_depth));
  const auto variables = variables_of(request.value("variables", Json::object()));
  Runtime runtime(limits, program->source, request.value("now", int64_t{0}));
  return Interpreter(*program, runtime).run(variables);
}

Json answer_to(const Json& request) {
  const auto rendered = render(request);
  if (!rendered.ok()) return {{"error", rendered.error().message}, {"hint", rendered.error().hint}};
  Json spans = Json::array();
  for (const auto& span : rendered->spans()) spans.push_back({span.text, span.parse_special});
  return {{"text", rendered->bytes()}, {"spans", spans}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);)
    std::cout << answer_to(Json::parse(line)).dump() << "\n";
  return 0;
}
