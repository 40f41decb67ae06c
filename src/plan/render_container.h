// The container of a node, for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "plan/container_spec.h"

namespace penstock::plan {

/// Lines of a node's details: limits, rights, what is loosened, what it is given of the host, how it is shared.
auto RenderContainer(const ContainerSpec& container) -> std::string;
auto ToJson(const ContainerSpec& container) -> nlohmann::json;

}  // namespace penstock::plan
