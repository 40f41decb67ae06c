// The lists of packages a user writes, checked and brought into one spelling, so that equal lists are equal text.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace penstock::image {

/// A requirement line (PEP 508) in one spelling: name as PEP 503 says ("Foo._Bar" → "foo-bar"), extras and version
/// specifiers sorted, no white space where it means nothing. Markers and URLs keep their text.
/// Errors: kInvalidArgument for options ("-r file", "--index-url …"), paths, and what has no package name.
auto NormaliseRequirement(std::string_view line) -> base::Expected<std::string>;

/// The name in a normalised requirement: "numpy" of "numpy[x]>=2".
auto RequirementName(std::string_view normalised) -> std::string_view;

/// A Debian package as apt-get takes it: "name", "name=version" or "name:arch".
/// Errors: kInvalidArgument for anything else, which also keeps options and shell text out.
auto NormaliseSystemPackage(std::string_view package) -> base::Expected<std::string>;

}  // namespace penstock::image
