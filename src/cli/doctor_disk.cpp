#include "cli/doctor_disk.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/count.h"
#include "cli/image_text.h"

namespace penstock::cli {

auto LookAtRoom(std::string name, const std::filesystem::path& path, std::uint64_t least_bytes, std::string use)
    -> Finding {
  struct statvfs room{};
  if (::statvfs(path.c_str(), &room) != 0) {
    return {.name = std::move(name),
            .health = Health::kNote,
            .found = fmt::format("{}: {}", path.string(), strerrordesc_np(errno)),
            .meaning = "how much room there is cannot be seen from here",
            .remedy = {}};
  }
  const auto free_bytes = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  const bool few_files = room.f_files > 0 && room.f_favail < 1000;
  Finding finding{.name = std::move(name),
                  .health = Health::kGood,
                  .found = fmt::format("{}, {} free", path.string(), SizeText(static_cast<std::int64_t>(free_bytes))),
                  .meaning = std::move(use),
                  .remedy = {}};
  if (free_bytes >= least_bytes && !few_files) return finding;
  finding.health = Health::kWarning;
  if (few_files) finding.found += fmt::format(", room for {}", base::Count(room.f_favail, "more file"));
  finding.remedy = fmt::format("make room: less than {} is soon full",
                               few_files ? "1000 files" : SizeText(static_cast<std::int64_t>(least_bytes)));
  return finding;
}

}  // namespace penstock::cli
