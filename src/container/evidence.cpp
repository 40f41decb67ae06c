#include "container/evidence.h"

#include <utility>

namespace penstock::container {

ContainerWatch::ContainerWatch(std::string container, const EventLedger* events)
    : container_(std::move(container)), events_(events), cgroup_(Cgroup::Of(container_)) {
  if (!cgroup_) return;
  last_ = cgroup_->Read();
  if (last_) baseline_ = *last_;
}

auto ContainerWatch::Read() -> ContainerEvidence {
  if (cgroup_) {
    if (auto counters = cgroup_->Read()) last_ = std::move(counters);
  }
  ContainerEvidence evidence;
  if (last_) evidence.counters = last_->Since(baseline_);
  if (events_ != nullptr) {
    evidence.engine = events_->Of(container_);
    evidence.engine_lost = events_->is_lost();
  }
  return evidence;
}

}  // namespace penstock::container
