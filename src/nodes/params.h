// Strict reading of a native node's parameters: every mistake is reported with what would have been right.
//
//   ParamReader reader("media.source", params);
//   const auto uri = reader.Required<std::string>("uri", "a string");
//   const auto rate = reader.Optional<int>("sample_rate", "a whole number", 16000);
//   PENSTOCK_TRY(reader.Finish());
#pragma once

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"

namespace penstock::nodes {

class ParamReader final {
 public:
  ParamReader(std::string node_type, const nlohmann::json& params) : node_type_(std::move(node_type)), params_(params) {
    if (!params.is_object() && !params.is_null())
      problems_.push_back(fmt::format("params must be a mapping, not {}", params.type_name()));
  }

  /// `wanted` names the type for people ("a string", "true or false").
  template <class T>
  auto Required(const std::string& name, const char* wanted) -> T {
    if (!Has(name)) {
      known_.push_back(name);
      problems_.push_back(fmt::format("'{}' is required ({})", name, wanted));
      return T{};
    }
    return Optional<T>(name, wanted, T{});
  }

  template <class T>
  auto Optional(const std::string& name, const char* wanted, T fallback) -> T {
    known_.push_back(name);
    if (!Has(name)) return fallback;
    const auto& value = params_.at(name);
    if (!Fits<T>(value)) {
      problems_.push_back(fmt::format("'{}' must be {}, not {}", name, wanted,
                                      value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
      return fallback;
    }
    return value.template get<T>();
  }

  /// All problems in one kInvalidArgument, unknown names included.
  auto Finish() const -> base::Status {
    auto problems = problems_;
    if (params_.is_object()) {
      for (const auto& [name, value] : params_.items()) {
        bool known = false;
        for (const auto& candidate : known_) known = known || candidate == name;
        if (!known)
          problems.push_back(fmt::format("unknown parameter '{}' (known: {})", name,
                                         known_.empty() ? "none" : fmt::format("{}", fmt::join(known_, ", "))));
      }
    }
    if (problems.empty()) return {};
    return base::Fail(base::ErrorCode::kInvalidArgument, "params of {}: {}", node_type_, fmt::join(problems, "; "));
  }

 private:
  auto Has(const std::string& name) const -> bool {
    return params_.is_object() && params_.contains(name) && !params_.at(name).is_null();
  }

  template <class T>
  static auto Fits(const nlohmann::json& value) -> bool {
    if constexpr (std::is_same_v<T, bool>) {
      return value.is_boolean();
    } else if constexpr (std::is_integral_v<T>) {
      if (!value.is_number_integer()) return false;
      if (value.is_number_unsigned()) return std::in_range<T>(value.template get<std::uint64_t>());
      return std::in_range<T>(value.template get<std::int64_t>());
    } else if constexpr (std::is_floating_point_v<T>) {
      return value.is_number();
    } else {
      return value.is_string();
    }
  }

  std::string node_type_;
  const nlohmann::json& params_;
  std::vector<std::string> known_;
  std::vector<std::string> problems_;
};

}  // namespace penstock::nodes
