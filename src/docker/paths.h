// Names of containers and images as parts of a request's path.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "docker/http.h"

namespace penstock::docker {

/// `kind`: "container" or "image". Errors: kInvalidArgument for names that would change the path's meaning.
inline auto PathSegment(std::string_view kind, std::string_view name) -> base::Expected<std::string> {
  if (name.empty()) return base::Fail(base::ErrorCode::kInvalidArgument, "the {} has no name", kind);
  // The engine's router cleans "." and ".." and redirects.
  const auto padded = fmt::format("/{}/", name);
  for (const auto* dots : {"//", "/./", "/../"}) {
    if (padded.find(dots) != std::string::npos) {
      return base::Fail(base::ErrorCode::kInvalidArgument, "'{}' is not the name of a {}", name, kind);
    }
  }
  return PercentEncode(name, kind == "image" ? "/:@" : "");
}

}  // namespace penstock::docker
