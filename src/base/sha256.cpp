#include "base/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cstdlib>

namespace penstock::base {

namespace {

// OpenSSL fails here only without memory.
void Require(int result) {
  if (result != 1) std::abort();
}

}  // namespace

Sha256Stream::Sha256Stream() : context_(EVP_MD_CTX_new()) {
  Require(context_ ? 1 : 0);
  Require(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
}

void Sha256Stream::Free::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

void Sha256Stream::Add(std::string_view piece) {
  Require(EVP_DigestUpdate(context_.get(), piece.data(), piece.size()));
}

auto Sha256Stream::Finish() -> std::string {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  Require(EVP_DigestFinal_ex(context_.get(), digest.data(), &size));
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest.at(i));
  return text;
}

auto Sha256(std::string_view data) -> std::string {
  Sha256Stream stream;
  stream.Add(data);
  return stream.Finish();
}

}  // namespace penstock::base
