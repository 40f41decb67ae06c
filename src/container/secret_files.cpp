#include "container/secret_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "base/unique_fd.h"
#include "manifest/mounts.h"

namespace penstock::container {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestSecret = 1024UL * 1024;

auto WriteFor(const plan::Rights& rights, const fs::path& path, std::string_view content) -> base::Status {
  const base::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
  if (!file) return base::SystemError(fmt::format("create '{}'", path.string()));
  while (!content.empty()) {
    const auto written = ::write(file.get(), content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::SystemError(fmt::format("write '{}'", path.string()));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  // Only root makes containers of another user than itself.
  if (::geteuid() == 0 && ::fchown(file.get(), rights.uid, rights.gid) != 0) {
    return base::SystemError(fmt::format("give '{}' to the container's user", path.string()));
  }
  return {};
}

}  // namespace

auto SecretFiles::Copy(const plan::ContainerSpec& plan, const fs::path& directory) -> base::Expected<SecretFiles> {
  SecretFiles files;
  for (const auto& secret : plan.secrets) {
    const auto content = base::ReadFile(secret.source.path, kLargestSecret);
    if (!content) {
      return tl::make_unexpected(
          base::Error(content.error()).While(fmt::format("reading the secret '{}'", secret.name)));
    }
    if (content->empty()) {
      return base::Fail(base::ErrorCode::kInvalidArgument, "the file of the secret '{}' is empty: {}", secret.name,
                        secret.source.path.string());
    }
    const auto copy = directory / ("secret-" + secret.name);
    files.mounts_.push_back({.source = copy, .target = fmt::format("{}/{}", manifest::kSecretsTarget, secret.name)});
    PENSTOCK_TRY(WriteFor(plan.rights, copy, *content));
  }
  return files;
}

SecretFiles::~SecretFiles() {
  std::error_code ignored;
  for (const auto& mount : mounts_) fs::remove(mount.source, ignored);
}

}  // namespace penstock::container
