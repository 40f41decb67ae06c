// Text to one of the process's outputs, written by a thread of its own: a terminal that stands still, or a reader that
// does not read, holds up nobody but those who ask whether there is room.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace penstock::cli {

/// Thread-safe. Bytes come out in the order in which they were taken. An output without a reader (EPIPE) takes all and
/// writes none.
class OutputWriter final {
 public:
  static constexpr std::size_t kRoomBytes = std::size_t{4} << 20U;

  /// `thread` is the name of the thread, at most 15 characters. `fd` is not owned. `on_broken` is called once, on that
  /// thread and before a flush returns, when something could not be written, with why (errno; EPIPE: nobody reads it
  /// any more).
  OutputWriter(int fd, std::string thread, std::function<void(int)> on_broken = {});
  OutputWriter(const OutputWriter&) = delete;
  auto operator=(const OutputWriter&) -> OutputWriter& = delete;
  /// Writes what is left first, unless abandoned.
  ~OutputWriter();

  /// Takes the text, also beyond the room: for those who ask first, or seldom have something to say.
  void Write(std::string_view text);
  /// False when there is no room: nothing was taken.
  auto TryWrite(std::string_view text) -> bool;
  /// If there is no room, `resume` is called once when there is, on the writer's thread.
  auto HasRoom(const std::function<void()>& resume) -> bool;
  /// Waits until all is written, or abandoned.
  void Flush();
  /// Why something could not be written (errno), 0 when nothing was lost: a reader that has enough is no loss.
  auto problem() -> int;
  /// From now on only what there is room for is written: whoever waits goes on. Any thread.
  void Abandon();

 private:
  void Run();
  /// 0, or why not (errno); ECANCELED: abandoned, and no room.
  auto WriteNow(std::string_view text) const -> int;

  const base::UniqueFd own_;  // of a terminal; else empty
  const int fd_;
  const std::size_t chunk_;
  base::UniqueFd abandoned_;  // an eventfd
  const std::function<void(int)> on_broken_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  std::vector<std::function<void()>> resume_;
  bool writing_ = false;
  bool ending_ = false;
  bool closed_ = false;  // nothing more is written
  int problem_ = 0;
  std::thread thread_;
};

}  // namespace penstock::cli
