#include "image/owner.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/paths.h"
#include "base/sha256.h"

namespace penstock::image {

auto Owner() -> base::Expected<std::string> {
  constexpr std::size_t kDigits = 24;
  PENSTOCK_ASSIGN(const auto state, base::StateDirectory());
  return base::Sha256(fmt::format("{} {}", ::geteuid(), state.string())).substr(0, kDigits);
}

}  // namespace penstock::image
