// Cuts what a program prints into lines, as it comes: in pieces that may hold several, or end within one.
#pragma once

#include <string>
#include <string_view>

namespace penstock::base {

/// A line ends with a line feed or, as those that show progress, with a carriage return. Empty ones are passed over.
class LineCutter final {
 public:
  /// Passes on each line that is complete.
  template <class Sink>
  void Feed(std::string_view piece, const Sink& sink) {
    for (;;) {
      const auto end = piece.find_first_of("\n\r");
      rest_.append(piece.substr(0, end));
      if (end == std::string_view::npos) return;
      Flush(sink);
      piece.remove_prefix(end + 1);
    }
  }
  /// Passes on what came after the last line end.
  template <class Sink>
  void Flush(const Sink& sink) {
    if (!rest_.empty()) sink(std::string_view(rest_));
    rest_.clear();
  }

 private:
  std::string rest_;
};

}  // namespace penstock::base
