#include "nodes/media/audio_file.h"

#include <algorithm>
#include <cerrno>
#include <cmath>

namespace penstock::nodes::media {

auto CannotWrite(const std::string& name, int error) -> base::Status {
  const auto failed = base::SystemError(fmt::format("write to '{}'", name), error);
  if (error != ENOSPC && error != EDQUOT) return failed;
  return base::Fail(base::ErrorCode::kExhausted, "{}: make room there, or give the node another path",
                    failed.value().message());
}

auto ToInteger(float sample, int bits) -> std::int32_t {
  // In double: 24 bits and the largest value are exact there.
  const double full = std::ldexp(1.0, bits - 1);
  if (std::isnan(sample)) return 0;
  return static_cast<std::int32_t>(std::lrint(std::clamp(static_cast<double>(sample) * full, -full, full - 1)));
}

}  // namespace penstock::nodes::media
