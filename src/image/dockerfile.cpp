#include "image/dockerfile.h"

#include <fmt/format.h>

namespace penstock::image {

auto EquivalentDockerfile(const Contents& contents) -> std::string {
  std::string text = fmt::format("FROM {}\nUSER 0:0\n", contents.base_reference);
  if (!contents.resolved.apt.empty()) {
    text += "RUN apt-get update && apt-get install -y --no-install-recommends";
    for (const auto& package : contents.resolved.apt)
      text += fmt::format(" \\\n      {}={}", package.name, package.version);
    text += " \\\n    && rm -rf /var/lib/apt/lists/*\n";
  }
  text += "RUN python3 -m venv --without-pip --system-site-packages /opt/venv\n";
  if (!contents.resolved.pip.empty()) {
    text +=
        "# pip is only lent: it comes, installs and goes in one layer. The list is complete, so that nothing is "
        "resolved.\n"
        "RUN apt-get update && apt-get install -y --no-install-recommends python3-pip-whl \\\n"
        "    && PYTHONPATH=$(echo /usr/share/python-wheels/pip-*.whl) /opt/venv/bin/python3 -m pip install --no-deps";
    for (const auto& package : contents.resolved.pip) {
      text += fmt::format(" \\\n      {}=={}", package.name, package.version);
    }
    text += " \\\n    && apt-get purge -y python3-pip-whl && rm -rf /var/lib/apt/lists/*\n";
  }
  text += fmt::format("ENV PATH=/opt/venv/bin:{}\nUSER {}\nENTRYPOINT []\nCMD [\"python3\"]\n", contents.base_path,
                      contents.base_user.empty() ? "1000:1000" : contents.base_user);
  return text;
}

}  // namespace penstock::image
