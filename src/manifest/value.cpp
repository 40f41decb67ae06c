#include "manifest/value.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <unordered_map>

#include "manifest/report.h"
#include "manifest/scalar.h"

namespace penstock::manifest {
namespace {

/// Ends the parse from within an event; never leaves this file.
struct Abandon {};

/// What yaml-cpp reads.
struct Source {
  std::string text;
  std::vector<std::size_t> joined;  // where it begins what JoinSurrogates has made shorter
};
constexpr int kSavedByJoining = 2;  // characters

/// yaml-cpp counts columns in bytes, people in characters.
class Columns final {
 public:
  explicit Columns(const Source& source) : source_(source) {
    const std::string_view text(source.text);
    for (std::size_t start = 0; start <= text.size();) {
      const auto end = std::min(text.find('\n', start), text.size());
      lines_.push_back(text.substr(start, end - start));
      start = end + 1;
    }
  }

  auto Line(int line) const -> std::string_view {
    const auto index = static_cast<std::size_t>(std::max(line, 0));
    return index < lines_.size() ? lines_[index] : std::string_view{};
  }

  /// Amortised constant for marks in ascending order, also in a text of one long line.
  auto At(const YAML::Mark& mark) -> Position {
    if (mark.is_null()) return {};
    const auto line = Line(mark.line);
    const auto column = std::min(static_cast<std::size_t>(std::max(mark.column, 0)), line.size());
    if (mark.line != line_ || column < bytes_) {
      line_ = mark.line;
      bytes_ = 0;
      characters_ = 0;
    }
    for (; bytes_ < column; ++bytes_) {
      if ((static_cast<unsigned char>(line[bytes_]) & 0xC0) != 0x80) ++characters_;
      if (IsJoined(line, bytes_)) characters_ += kSavedByJoining;
    }
    return {mark.line + 1, characters_ + 1};
  }

 private:
  auto IsJoined(std::string_view line, std::size_t byte) const -> bool {
    if (source_.joined.empty()) return false;
    const auto at = static_cast<std::size_t>(line.data() - source_.text.data()) + byte;
    return std::ranges::binary_search(source_.joined, at);
  }

  const Source& source_;
  std::vector<std::string_view> lines_;
  int line_ = -1;
  std::size_t bytes_ = 0;
  int characters_ = 0;
};

/// Bytes of the character that `text` begins with; 0 when it is not UTF-8: cut short, overlong, a surrogate, beyond the
/// last character.
auto CharacterBytes(std::string_view text) -> std::size_t {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xC2 && first < 0xE0 ? 2 : first >= 0xE0 && first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
  if (first < 0xC2 || size == 0) return 0;
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xC0U) != 0x80U) return 0;
  }
  const auto second = byte(1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90)) return 0;
  return size;
}

/// yaml-cpp writes the escapes `\N` and `\_` (U+0085 and U+00A0) as one byte, which is not UTF-8. All else of a text
/// that was UTF-8 is.
auto WithWholeCharacters(std::string_view text) -> std::string {
  std::string whole;
  whole.reserve(text.size());
  while (!text.empty()) {
    const auto size = CharacterBytes(text);
    if (size == 0) whole += '\xC2';
    whole += text.substr(0, std::max<std::size_t>(size, 1));
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return whole;
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(Report& report, Columns& columns) : report_(report), columns_(columns) {}

  auto root() const -> ValuePtr { return root_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto value = Make(Value::Kind::kNull, mark);
    // Where nothing is written, the mark is that of whatever comes next: the key is a better place.
    const bool after_key = !frames_.empty() && frames_.back().has_key;
    if (after_key && value->at.line != frames_.back().key_at.line) value->at = frames_.back().key_at;
    Place(value, anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    auto value = Make(Value::Kind::kScalar, mark);
    value->text = WithWholeCharacters(text);
    value->quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!value->quoted) CheckTag(tag, mark);
    Place(value, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto named = anchors_.find(anchor);
    if (named == anchors_.end()) {
      report_.Add(At(mark), "this alias names a value that contains it: a manifest cannot be endless");
      throw Abandon{};
    }
    Attach(named->second, At(mark));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    CheckTag(tag, mark);
    Open(Make(Value::Kind::kSequence, mark), anchor);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    CheckTag(tag, mark);
    Open(Make(Value::Kind::kMapping, mark), anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Frame {
    std::shared_ptr<Value> value;
    YAML::anchor_t anchor = 0;
    bool has_key = false;
    bool key_merges = false;
    bool key_is_wrong = false;  // reported; what it stands before is left out
    std::string key;
    Position key_at;
    std::unordered_map<std::string, Position> keys;
    std::vector<ValuePtr> merges;
  };

  auto At(const YAML::Mark& mark) -> Position { return columns_.At(mark); }

  auto Make(Value::Kind kind, const YAML::Mark& mark) -> std::shared_ptr<Value> {
    auto value = std::make_shared<Value>();
    value->kind = kind;
    value->at = At(mark);
    return value;
  }

  void CheckTag(const std::string& tag, const YAML::Mark& mark) {
    static constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with(kCore)) return;
    if (tag == "!include") {
      report_.Add(At(mark),
                  "'!include' is not part of YAML, and a manifest is one file: put it here; what is said more "
                  "than once can have an anchor ('&name') and be merged ('<<: *name')");
      return;
    }
    report_.Add(At(mark), "the tag '{}' means nothing in a manifest: remove it", Shown(tag));
  }

  void Open(std::shared_ptr<Value> value, YAML::anchor_t anchor) {
    value->levels = 1;
    RefuseDepth(*value, value->at);
    frames_.push_back({.value = std::move(value), .anchor = anchor, .key = {}, .key_at = {}, .keys = {}, .merges = {}});
  }

  void RefuseDepth(const Value& value, Position at) {
    if (frames_.size() + static_cast<std::size_t>(value.levels) <= static_cast<std::size_t>(kMaxNesting)) return;
    report_.Add(at, "nested more than {} levels deep, with aliases expanded", kMaxNesting);
    throw Abandon{};
  }

  void Close() {
    auto frame = std::move(frames_.back());
    frames_.pop_back();
    for (const auto& merged : frame.merges) Merge(frame, *merged);
    Place(frame.value, frame.anchor);
  }

  /// YAML's `<<`: what is not given here comes from there.
  static void Merge(Frame& frame, const Value& from) {
    for (const auto& entry : from.entries) {
      if (!frame.keys.emplace(entry.key, entry.key_at).second) continue;
      frame.value->weight += entry.value->weight;
      frame.value->entries.push_back(entry);
    }
  }

  void Place(const std::shared_ptr<Value>& value, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = value;
    Attach(value, value->at);
  }

  void Attach(const ValuePtr& value, Position at) {
    if (frames_.empty()) {
      root_ = value;
      return;
    }
    RefuseDepth(*value, at);
    auto& frame = frames_.back();
    auto& parent = *frame.value;
    parent.levels = std::max(parent.levels, value->levels + 1);
    parent.weight += value->weight;
    if (parent.weight > kMaxValues) {
      report_.Add(at, "more than {} values, with aliases expanded", kMaxValues);
      throw Abandon{};
    }
    if (parent.kind == Value::Kind::kSequence) {
      parent.items.push_back(value);
    } else if (!frame.has_key) {
      TakeKey(frame, *value, at);
    } else {
      frame.has_key = false;
      TakeEntry(frame, value, at);
    }
  }

  static auto IsTooLong(const std::string& key) -> bool {
    constexpr std::size_t kLongestEscape = 6;
    return key.size() * kLongestEscape > kMaxKeyBytes && nlohmann::json(key).dump().size() > kMaxKeyBytes;
  }

  void TakeKey(Frame& frame, const Value& key, Position at) {
    frame.key_is_wrong = key.kind != Value::Kind::kScalar || IsTooLong(key.text);
    if (key.kind != Value::Kind::kScalar) {
      report_.Add(at, "a key must be text, not {}", Describe(key));
    } else if (frame.key_is_wrong) {
      report_.Add(at, "a key of {} bytes; at most {} are possible, as JSON writes them", key.text.size(), kMaxKeyBytes);
    }
    frame.has_key = true;
    frame.key = key.text;
    frame.key_at = at;
    frame.key_merges = key.text == "<<" && !key.quoted;
  }

  void TakeEntry(Frame& frame, const ValuePtr& value, Position at) {
    if (frame.key_is_wrong) return;
    if (frame.key_merges) return TakeMerge(frame, value, at);
    const auto [first, is_new] = frame.keys.emplace(frame.key, frame.key_at);
    if (!is_new) {
      report_.Add(frame.key_at, "the key '{}' is given twice; first at {}:{}", Shown(frame.key), first->second.line,
                  first->second.column);
      return;
    }
    frame.value->entries.push_back({frame.key, frame.key_at, value});
  }

  void TakeMerge(Frame& frame, const ValuePtr& value, Position at) {
    if (value->kind == Value::Kind::kMapping) {
      frame.merges.push_back(value);
      return;
    }
    const auto is_mapping = [](const ValuePtr& item) { return item->kind == Value::Kind::kMapping; };
    if (value->kind == Value::Kind::kSequence && std::ranges::all_of(value->items, is_mapping)) {
      for (const auto& item : value->items) frame.merges.push_back(item);
      return;
    }
    report_.Add(at, "'<<' merges a mapping or a list of mappings, not {}", Describe(*value));
  }

  Report& report_;
  Columns& columns_;
  ValuePtr root_;
  std::vector<Frame> frames_;
  std::unordered_map<YAML::anchor_t, ValuePtr> anchors_;
};

/// JSON writes characters beyond 16 bits as two escapes, which YAML does not know: joins them.
auto JoinSurrogates(std::string_view text) -> Source {
  const auto unit = [&](std::size_t at) -> unsigned {
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return 0;
    unsigned code = 0;
    for (const char digit : text.substr(at + 2, 4)) {
      if (std::isxdigit(static_cast<unsigned char>(digit)) == 0) return 0;
      const auto lower = static_cast<unsigned>(std::tolower(static_cast<unsigned char>(digit)));
      code = code * 16 + (lower >= 'a' ? lower - 'a' + 10 : lower - '0');
    }
    return code;
  };
  Source source;
  auto& joined = source.text;
  joined.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto high = unit(at);
    const auto low = high >= 0xD800 && high < 0xDC00 ? unit(at + 6) : 0;
    if (low >= 0xDC00 && low < 0xE000) {
      source.joined.push_back(joined.size());
      joined += fmt::format("\\U{:08X}", 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
      at += 11;
    } else if (text[at] == '\\' && at + 1 < text.size()) {
      joined += text.substr(at++, 2);
    } else {
      joined += text[at];
    }
  }
  return source;
}

auto LooksLikeJson(std::string_view text) -> bool {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

struct Forbidden {
  Position at;
  std::string problem;
};

/// Control characters end yaml-cpp's input early or confuse its columns, and what is not UTF-8 it passes on to who
/// cannot write it as JSON: both are refused before it sees them. DEL does no harm, and JSON has it unescaped.
auto FindForbidden(std::string_view text) -> std::optional<Forbidden> {
  Position at;
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r')
      return Forbidden{at, fmt::format("the control character 0x{:02x} does not belong into a manifest", byte)};
    const auto size = CharacterBytes(text);
    if (size == 0) return Forbidden{at, fmt::format("the byte 0x{:02x} is not UTF-8: save the file as UTF-8", byte)};
    at = byte == '\n' ? Position{at.line + 1, 1} : Position{at.line, at.column + 1};
    text.remove_prefix(size);
  }
  return std::nullopt;
}

/// Its sentence for a tab in the indentation speaks of map values; this is the commonest mistake of all.
void ReportSyntax(const YAML::Exception& error, Columns& columns, Report& report) {
  const auto at = columns.At(error.mark);
  const auto line = columns.Line(at.line - 1);
  const auto tab = line.find('\t');
  if (tab != std::string_view::npos && tab < line.find_first_not_of(" \t")) {
    report.Add(Position{at.line, static_cast<int>(tab) + 1}, "a tab cannot indent in YAML: use spaces");
    return;
  }
  report.Add(at, "not readable as YAML: {}", error.msg);
}

auto Build(const Source& source, Report& report) -> ValuePtr {
  Columns columns(source);
  TreeBuilder builder(report, columns);
  std::istringstream stream(source.text);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) report.Add(Position{}, "the manifest is empty");
    TreeBuilder second(report, columns);
    if (parser.HandleNextDocument(second) && second.root()) {
      report.Add(second.root()->at, "a second document begins here: a manifest is one document");
    }
    return builder.root();
  } catch (const Abandon&) {  // reported where it was thrown
  } catch (const YAML::Exception& error) {
    ReportSyntax(error, columns, report);
  }
  return nullptr;
}

}  // namespace

auto Value::Find(std::string_view key) const -> const Entry* {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  return found == entries.end() ? nullptr : &*found;
}

auto Describe(const Value& value) -> std::string {
  switch (value.kind) {
    case Value::Kind::kNull:
      return "nothing";
    case Value::Kind::kSequence:
      return "a list";
    case Value::Kind::kMapping:
      return "a mapping";
    case Value::Kind::kScalar:
      break;
  }
  return DescribeScalar(value.text, value.quoted);
}

auto ParseTree(std::string_view text, Report& report) -> ValuePtr {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark says nothing in UTF-8
  if (text.size() > kMaxTextBytes) {
    report.Add(Position{}, "the file has {} bytes; a manifest has at most {}", text.size(), kMaxTextBytes);
    return nullptr;
  }
  if (const auto forbidden = FindForbidden(text)) {
    report.Add(forbidden->at, "{}", forbidden->problem);
    return nullptr;
  }
  return Build(LooksLikeJson(text) ? JoinSurrogates(text) : Source{.text = std::string(text), .joined = {}}, report);
}

}  // namespace penstock::manifest
