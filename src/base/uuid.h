// Session ids: UUID version 7 (RFC 9562), ordered by creation time and globally unique.
#pragma once

#include <string>

#include "base/error.h"

namespace penstock::base {

/// "0190163d-8694-739b-aea5-966c26f8ad91".
auto NewUuidV7() -> std::string;
auto IsUuid(std::string_view text) -> bool;

}  // namespace penstock::base
