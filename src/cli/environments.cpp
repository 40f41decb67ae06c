#include "cli/environments.h"

namespace penstock::cli {

auto EnvironmentOptionsOf(const plan::Plan& plan, bool retry_failed) -> base::Expected<session::EnvironmentOptions> {
  session::EnvironmentOptions options;
  options.build.retry_failed = retry_failed;
  PENSTOCK_ASSIGN(auto lock, image::LockFile::Load(image::LockFile::PathBeside(plan.file)));
  if (!lock) return options;
  options.lock = std::make_shared<const image::LockFile>(std::move(*lock));
  for (const auto& node : plan.nodes) {
    if (node.placement != plan::Placement::kContainer) continue;
    auto spec = session::SpecOf(*node.environment, options.lock.get());
    if (!spec) {
      return tl::make_unexpected(
          std::move(spec).error().While(fmt::format("looking for the environment of node '{}' in the lock", node.id)));
    }
  }
  return options;
}

}  // namespace penstock::cli
