// SPDX-License-Identifier: Apache-2.0
#include "plugins/filter_chain.h"

#include <algorithm>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

#include "base/log.h"

namespace llama_gpu::plugins {
namespace {

class FilterChain : public std::enable_shared_from_this<FilterChain> {
 public:
  FilterChain(const std::vector<HostedFilter>& filters, FilterCall call,
              std::function<void(Result<FilterableText>)> done)
      : filters_(filters), call_(std::move(call)), done_(std::move(done)) {}

  void go_on() {
    const auto next = std::find_if(filters_.begin(), filters_.end(), [this](const HostedFilter& filter) {
      return !asked_.contains(filter.plugin);
    });
    if (next == filters_.end()) return done_(std::move(call_.text));
    asked_.insert(next->plugin);
    next->ask(call_, [self = shared_from_this(), plugin = next->plugin, policy = next->policy](
                         Result<FilterVerdict> verdict) { self->take(plugin, policy, std::move(verdict)); });
  }

 private:
  void take(const std::string& plugin, FailurePolicy policy, Result<FilterVerdict> verdict) {
    if (!verdict.ok()) return take_failure(plugin, policy, verdict.error());
    if (verdict->rejection) {
      return done_(Error{ErrorCode::kPluginRejected,
                         "the plugin '" + plugin + "' refused the request: " + *verdict->rejection});
    }
    if (verdict->replacement) call_.text = *std::move(verdict->replacement);
    go_on();
  }

  void take_failure(const std::string& plugin, FailurePolicy policy, const Error& error) {
    // No filter saw it, and who sends it must not choose that.
    if (error.code == ErrorCode::kRequestTooLarge) {
      return done_(Error{error.code, "the request is too large for the plugin '" + plugin + "'",
                         "send a shorter one"});
    }
    log_warning("a request filter failed", {{"plugin", plugin},
                                            {"request_id", call_.request_id},
                                            {"policy", failure_policy_name(policy)},
                                            {"error", error.message}});
    if (policy == FailurePolicy::kOpen) return go_on();
    if (error.code == ErrorCode::kOverloaded || error.code == ErrorCode::kShuttingDown) return done_(error);
    done_(Error{ErrorCode::kPluginFailed, "the plugin '" + plugin + "' failed: " + error.message,
                "send the request again in a moment"});
  }

  const std::vector<HostedFilter>& filters_;
  FilterCall call_;
  std::function<void(Result<FilterableText>)> done_;
  std::set<std::string> asked_;
};

}  // namespace

void sort_filters(std::vector<HostedFilter>& filters) {
  std::sort(filters.begin(), filters.end(), [](const HostedFilter& a, const HostedFilter& b) {
    return std::tie(a.order, a.plugin) < std::tie(b.order, b.plugin);
  });
}

void pass_filters(const std::vector<HostedFilter>& filters, FilterCall call,
                  std::function<void(Result<FilterableText>)> done) {
  std::make_shared<FilterChain>(filters, std::move(call), std::move(done))->go_on();
}

}  // namespace llama_gpu::plugins
