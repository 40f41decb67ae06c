// Strict reading of a native node's parameters: every mistake is reported with what would have been right.
//
//   ParamReader reader("media.source", params);
//   const auto uri = reader.Required<std::string>("uri", "a string");
//   const auto rate = reader.Optional<int>("sample_rate", "a whole number", 16000);
//   const auto every = reader.Required<std::chrono::nanoseconds>("every", "a duration above 0, such as \"250ms\"",
//                                                                [](const auto& value) { return value.count() > 0; });
//   PENSTOCK_TRY(reader.Finish());
#pragma once

#include <fmt/ranges.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/duration.h"
#include "base/error.h"

namespace penstock::nodes {

class ParamReader final {
 public:
  ParamReader(std::string node_type, const nlohmann::json& params) : node_type_(std::move(node_type)), params_(params) {
    if (!params.is_object() && !params.is_null())
      problems_.push_back(fmt::format("params must be a mapping, not {}", params.type_name()));
  }

  /// `wanted` says for people what is taken ("a string", "a whole number from 1"); `takes`, which of the type's values.
  template <class T>
  auto Required(const std::string& name, const char* wanted, bool (*takes)(const T&) = nullptr) -> T {
    if (!Has(name)) {
      known_.push_back(name);
      problems_.push_back(fmt::format("'{}' is required ({})", name, wanted));
      return T{};
    }
    return Optional<T>(name, wanted, T{}, takes);
  }

  template <class T>
  auto Optional(const std::string& name, const char* wanted, T fallback, bool (*takes)(const T&) = nullptr) -> T {
    known_.push_back(name);
    if (!Has(name)) return fallback;
    const auto& value = params_.at(name);
    const auto read = Read<T>(value);
    if (!read || (takes != nullptr && !takes(*read))) {
      problems_.push_back(fmt::format("'{}' must be {}, not {}", name, wanted,
                                      value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
      return fallback;
    }
    return *read;
  }

  /// Whether the parameter is there, right or wrong.
  auto Has(const std::string& name) const -> bool {
    return params_.is_object() && params_.contains(name) && !params_.at(name).is_null();
  }
  /// For what no parameter alone is to blame for; a whole sentence, without its full stop.
  void AddProblem(std::string problem) { problems_.push_back(std::move(problem)); }

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

  template <class T>
  static auto Read(const nlohmann::json& value) -> std::optional<T> {
    if constexpr (std::is_same_v<T, std::chrono::nanoseconds>) {
      // A number as a manifest has it: seconds.
      if (value.is_number()) return base::ParseDuration(value.dump());
      return value.is_string() ? base::ParseDuration(value.get_ref<const std::string&>()) : std::nullopt;
    } else {
      return Fits<T>(value) ? std::optional(value.template get<T>()) : std::nullopt;
    }
  }

  std::string node_type_;
  const nlohmann::json& params_;
  std::vector<std::string> known_;
  std::vector<std::string> problems_;
};

}  // namespace penstock::nodes
