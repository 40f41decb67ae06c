// Content identity.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace penstock::base {

/// Lower-case hexadecimal SHA-256 of `data`.
auto Sha256(std::string_view data) -> std::string;

/// The same of data that comes in pieces.
class Sha256Stream final {
 public:
  Sha256Stream();
  void Add(std::string_view piece);
  /// Once, at the end.
  auto Finish() -> std::string;

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace penstock::base
