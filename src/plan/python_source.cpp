#include "plan/python_source.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "plan/python_lines.h"

namespace penstock::plan {
namespace {

using Tokens = std::span<const PythonToken>;
using Lines = std::span<const PythonLine>;
using Kind = PythonToken::Kind;

constexpr std::array<std::string_view, 6> kMessages{"Audio", "Bytes", "Image", "Json", "Tensor", "Text"};

auto IsOther(const PythonToken& token, std::string_view text) -> bool {
  return token.kind == Kind::kOther && token.text == text;
}
auto IsName(const PythonToken& token, std::string_view text) -> bool {
  return token.kind == Kind::kName && token.text == text;
}

auto IsOpening(const PythonToken& token) -> bool {
  return IsOther(token, "(") || IsOther(token, "[") || IsOther(token, "{");
}
auto IsClosing(const PythonToken& token) -> bool {
  return IsOther(token, ")") || IsOther(token, "]") || IsOther(token, "}");
}

/// Index of the first `text` outside of brackets; the size when there is none.
auto FindOutside(Tokens tokens, std::string_view text) -> std::size_t {
  int depth = 0;
  for (std::size_t index = 0; index < tokens.size(); ++index) {
    if (depth == 0 && IsOther(tokens[index], text)) return index;
    if (IsOpening(tokens[index])) ++depth;
    if (IsClosing(tokens[index])) --depth;
  }
  return tokens.size();
}

/// Parts between `separator` outside of brackets; a trailing separator adds none.
auto SplitOutside(Tokens tokens, std::string_view separator) -> std::vector<Tokens> {
  std::vector<Tokens> parts;
  while (!tokens.empty()) {
    const auto end = FindOutside(tokens, separator);
    parts.push_back(tokens.first(end));
    tokens = tokens.subspan(std::min(end + 1, tokens.size()));
  }
  return parts;
}

/// What is between a first bracket and the one that closes it. Empty tokens after it are `rest`.
auto Bracketed(Tokens tokens, Tokens& rest) -> Tokens {
  int depth = 0;
  for (std::size_t index = 0; index < tokens.size(); ++index) {
    if (IsOpening(tokens[index])) ++depth;
    if (IsClosing(tokens[index]) && --depth == 0) {
      rest = tokens.subspan(index + 1);
      return tokens.subspan(1, index - 1);
    }
  }
  rest = {};
  return tokens.subspan(std::min<std::size_t>(1, tokens.size()));
}

/// What the module's names mean: "penstock.Audio", "typing.Iterator", "penstock". A name that is bound in any other way
/// means nothing.
class Names final {
 public:
  explicit Names(Lines lines) {
    for (const auto& line : lines) Read(line.tokens);
  }

  /// The full name of a dotted one; empty: not known.
  auto Resolve(const std::string& dotted) const -> std::string {
    const auto dot = dotted.find('.');
    const auto found = meaning_.find(dotted.substr(0, dot));
    if (found == meaning_.end()) return dot == std::string::npos ? BuiltIn(dotted) : std::string{};
    return dot == std::string::npos || found->second.empty() ? found->second : found->second + dotted.substr(dot);
  }

 private:
  static auto BuiltIn(const std::string& name) -> std::string {
    return name == "list" || name == "tuple" || name == "None" ? name : std::string{};
  }

  void Bind(const std::string& name, const std::string& meaning) {
    const auto [known, is_new] = meaning_.emplace(name, meaning);
    if (!is_new && known->second != meaning) known->second.clear();
  }

  void Read(Tokens tokens) {
    if (tokens.size() > 1 && IsName(tokens[0], "import")) return ReadImport(tokens.subspan(1));
    if (tokens.size() > 3 && IsName(tokens[0], "from")) return ReadFrom(tokens.subspan(1));
    if (tokens.size() > 1 && (IsName(tokens[0], "class") || IsName(tokens[0], "def"))) return Bind(tokens[1].text, "");
    if (tokens.size() > 1 && tokens[0].kind == Kind::kName && (IsOther(tokens[1], "=") || IsOther(tokens[1], ":")))
      Bind(tokens[0].text, "");
  }

  static auto Dotted(Tokens tokens) -> std::string {
    std::string text;
    for (const auto& token : tokens) text += token.text;
    return text;
  }

  void ReadImport(Tokens tokens) {
    for (const auto part : SplitOutside(tokens, ",")) {
      const auto as = std::ranges::find_if(part, [](const auto& token) { return IsName(token, "as"); });
      const auto name = Dotted(part.first(static_cast<std::size_t>(as - part.begin())));
      if (as != part.end() && as + 1 != part.end()) {
        Bind((as + 1)->text, name);
      } else {
        const auto first = name.substr(0, name.find('.'));
        Bind(first, first);
      }
    }
  }

  void ReadFrom(Tokens tokens) {
    const auto import = std::ranges::find_if(tokens, [](const auto& token) { return IsName(token, "import"); });
    if (import == tokens.end()) return;
    const auto module = Dotted(tokens.first(static_cast<std::size_t>(import - tokens.begin())));
    auto names = tokens.subspan(static_cast<std::size_t>(import - tokens.begin()) + 1);
    Tokens rest;
    if (!names.empty() && IsOther(names[0], "(")) names = Bracketed(names, rest);
    for (const auto part : SplitOutside(names, ",")) {
      if (part.empty() || part[0].kind != Kind::kName) continue;
      const bool renamed = part.size() == 3 && IsName(part[1], "as");
      Bind(renamed ? part[2].text : part[0].text, module + "." + part[0].text);
    }
  }

  std::map<std::string, std::string> meaning_;
};

enum class Direction { kTakes, kGives };

/// The message types of an annotation; nullopt: any, or not known.
class Annotation final {
 public:
  Annotation(const Names& names, Direction direction) : names_(names), direction_(direction) {}

  auto Read(Tokens tokens, int depth = 0) const -> MessageTypes {
    constexpr int kDeepest = 16;
    if (tokens.empty() || depth == kDeepest) return std::nullopt;
    const auto parts = SplitOutside(tokens, "|");
    if (parts.size() > 1) return Union(parts, depth);
    if (tokens.size() == 1 && tokens[0].kind == Kind::kString) return ReadText(tokens[0].text, depth);
    const auto bracket = FindBracket(tokens);
    const auto name = DottedName(tokens.first(bracket));
    if (bracket == tokens.size()) return One(name);
    Tokens rest;
    const auto arguments = SplitOutside(Bracketed(tokens.subspan(bracket), rest), ",");
    if (!rest.empty() || arguments.empty()) return std::nullopt;
    return Generic(name, arguments, depth);
  }

 private:
  static auto FindBracket(Tokens tokens) -> std::size_t {
    const auto found = std::ranges::find_if(tokens, IsOpening);
    return static_cast<std::size_t>(found - tokens.begin());
  }

  auto DottedName(Tokens tokens) const -> std::string {
    std::string dotted;
    for (const auto& token : tokens) dotted += token.text;
    return names_.Resolve(dotted);
  }

  auto ReadText(const std::string& text, int depth) const -> MessageTypes {
    const auto lines = SplitPython(text);
    return lines.size() == 1 ? Read(lines[0].tokens, depth + 1) : std::nullopt;
  }

  static auto One(std::string_view name) -> MessageTypes {
    constexpr std::string_view kPackage = "penstock.";
    if (name == "None") return std::set<std::string>{};
    if (!name.starts_with(kPackage)) return std::nullopt;
    name.remove_prefix(kPackage.size());
    if (std::ranges::find(kMessages, name) == kMessages.end()) return std::nullopt;
    return std::set{std::string(name)};
  }

  auto Union(const std::vector<Tokens>& parts, int depth) const -> MessageTypes {
    std::set<std::string> all;
    for (const auto part : parts) {
      const auto types = Read(part, depth + 1);
      if (!types) return std::nullopt;
      all.insert(types->begin(), types->end());
    }
    return all;
  }

  auto Generic(const std::string& name, const std::vector<Tokens>& arguments, int depth) const -> MessageTypes {
    if (name == "typing.Union" || name == "typing.Optional") return Union(arguments, depth);
    if (direction_ == Direction::kTakes) return std::nullopt;
    if (name == "tuple" || name == "typing.Tuple") {
      std::vector<Tokens> items;
      std::ranges::copy_if(arguments, std::back_inserter(items), [](Tokens item) { return !IsOther(item[0], "."); });
      return Union(items, depth);
    }
    static constexpr std::array<std::string_view, 5> kIterables{"Iterator", "Iterable", "Generator", "Sequence",
                                                                "List"};
    const auto dot = name.rfind('.');
    const auto module = name.substr(0, dot == std::string::npos ? 0 : dot);
    const bool is_iterable =
        name == "list" || ((module == "typing" || module == "collections.abc") &&
                           std::ranges::find(kIterables, std::string_view(name).substr(dot + 1)) != kIterables.end());
    return is_iterable ? Read(arguments[0], depth + 1) : std::nullopt;
  }

  const Names& names_;
  Direction direction_;
};

struct Parameter {
  std::string name;
  MessageTypes types;
};

struct Method {
  bool known = true;  // not decorated, and without *args and **kwargs
  std::vector<Parameter> parameters;
  MessageTypes gives = std::nullopt;
};

/// One class statement with its body.
class ClassReader final {
 public:
  explicit ClassReader(const Names& names) : names_(names) {}

  auto Read(Lines body) -> NodePorts {
    if (body.empty()) return {};
    const auto indent = body[0].indent;
    bool decorated = false;
    for (const auto& line : body) {
      if (line.indent != indent) continue;
      const bool decorator = IsOther(line.tokens[0], "@");
      if (!decorator) ReadStatement(line.tokens, decorated);
      decorated = decorator;
    }
    return {.inputs = Inputs(), .outputs = Outputs()};
  }

 private:
  void ReadStatement(Tokens tokens, bool decorated) {
    if (IsName(tokens[0], "async")) unusual_ = true;  // the SDK refuses it, with a sentence of its own
    if (tokens.size() > 3 && IsName(tokens[0], "def")) {
      methods_[tokens[1].text] = ReadMethod(tokens.subspan(2), decorated);
      return;
    }
    if (tokens.size() < 3 || tokens[0].kind != Kind::kName) return;
    if (IsName(tokens[0], "inputs")) inputs_ = ReadPorts(tokens.subspan(1), Direction::kTakes);
    if (IsName(tokens[0], "outputs")) outputs_ = ReadPorts(tokens.subspan(1), Direction::kGives);
    if (tokens[0].text == "process" || tokens[0].text.starts_with("on_")) unusual_ = true;  // process = something
    if (tokens[0].text == "if" || tokens[0].text == "for" || tokens[0].text == "with") unusual_ = true;
  }

  auto ReadMethod(Tokens tokens, bool decorated) const -> Method {
    Method method{.known = !decorated && IsOther(tokens[0], "("), .parameters = {}};
    Tokens rest;
    auto parameters = SplitOutside(Bracketed(tokens, rest), ",");
    if (!parameters.empty()) parameters.erase(parameters.begin());  // self
    for (const auto part : parameters) {
      if (part.empty() || part[0].kind != Kind::kName) {
        method.known = method.known && part.size() == 1 && (IsOther(part[0], "*") || IsOther(part[0], "/"));
        continue;
      }
      const auto written = part.first(FindOutside(part, "="));
      const bool annotated = written.size() > 2 && IsOther(written[1], ":");
      method.parameters.push_back(
          {.name = part[0].text,
           .types = annotated ? Annotation(names_, Direction::kTakes).Read(written.subspan(2)) : std::nullopt});
    }
    const auto end = FindOutside(rest, ":");
    if (end > 1 && IsOther(rest[0], "->"))
      method.gives = Annotation(names_, Direction::kGives).Read(rest.subspan(1, end - 1));
    return method;
  }

  /// `= {"name": Type, …}`, with or without an annotation before it. Types of None are those of the handler.
  auto ReadPorts(Tokens tokens, Direction direction) -> Ports {
    const auto equals = FindOutside(tokens, "=");
    Tokens rest;
    if (equals + 1 >= tokens.size() || !IsOther(tokens[equals + 1], "{")) {
      unusual_ = true;
      return std::nullopt;
    }
    std::map<std::string, MessageTypes> ports;
    for (const auto item : SplitOutside(Bracketed(tokens.subspan(equals + 1), rest), ",")) {
      const auto colon = FindOutside(item, ":");
      if (colon != 1 || item[0].kind != Kind::kString) {
        unusual_ = true;
        return std::nullopt;
      }
      const auto value = item.subspan(2);
      const bool of_handler = value.size() == 1 && IsName(value[0], "None");
      ports[item[0].text] = of_handler ? std::nullopt : Annotation(names_, direction).Read(value);
    }
    if (!rest.empty()) unusual_ = true;
    return ports;
  }

  auto Handlers() const -> std::vector<const Method*> {
    std::vector<const Method*> handlers;
    for (const auto& [name, method] : methods_) {
      const bool of_port = name.starts_with("on_") && (!inputs_ || inputs_->contains(name.substr(3)));
      const bool alone = inputs_ || !methods_.contains("process");
      if (name == "process" || name == "finish" || (of_port && alone)) handlers.push_back(&method);
    }
    return handlers;
  }

  auto Inputs() const -> Ports {
    if (unusual_) return std::nullopt;
    if (inputs_) return inputs_;
    std::map<std::string, MessageTypes> ports;
    if (const auto process = methods_.find("process"); process != methods_.end()) {
      const auto& [known, parameters, gives] = process->second;
      if (!known) return std::nullopt;
      for (const auto& parameter : parameters) ports[parameters.size() == 1 ? "in" : parameter.name] = parameter.types;
      return ports;
    }
    for (const auto& [name, method] : methods_) {
      if (!name.starts_with("on_")) continue;
      if (!method.known || method.parameters.size() != 1) return std::nullopt;
      ports[name.substr(3)] = method.parameters[0].types;
    }
    return ports.empty() ? std::nullopt : Ports(ports);
  }

  auto Outputs() const -> Ports {
    if (unusual_) return std::nullopt;
    if (outputs_) return outputs_;
    std::set<std::string> all;
    for (const auto* method : Handlers()) {
      if (!method->known || !method->gives) return std::map<std::string, MessageTypes>{{"out", std::nullopt}};
      all.insert(method->gives->begin(), method->gives->end());
    }
    const auto types = all.empty() ? std::nullopt : MessageTypes(all);
    return std::map<std::string, MessageTypes>{{"out", types}};
  }

  const Names& names_;
  bool unusual_ = false;
  Ports inputs_;
  Ports outputs_;
  std::map<std::string, Method> methods_;
};

/// The name that `@penstock.node("Name")` gives to the class below it; empty: none.
auto RegisteredName(const PythonLine& line, const Names& names) -> std::string {
  const Tokens tokens = line.tokens;
  if (tokens.size() < 4 || !IsOther(tokens[0], "@")) return {};
  const auto bracket = FindOutside(tokens, "(");
  std::string dotted;
  for (const auto& token : tokens.subspan(1, bracket - 1)) dotted += token.text;
  const bool is_name = bracket + 2 < tokens.size() && tokens[bracket + 1].kind == Kind::kString;
  return is_name && names.Resolve(dotted) == "penstock.node" ? tokens[bracket + 1].text : std::string{};
}

/// `class Name(penstock.Node):` and nothing else.
auto IsNodeClass(Tokens tokens, const Names& names) -> bool {
  if (tokens.size() < 6 || !IsName(tokens[0], "class") || !IsOther(tokens[2], "(")) return false;
  Tokens rest;
  std::string base;
  for (const auto& token : Bracketed(tokens.subspan(2), rest)) base += token.text;
  return rest.size() == 1 && names.Resolve(base) == "penstock.Node";
}

}  // namespace

auto ReadNodeClasses(std::string_view source) -> std::map<std::string, NodeClass> {
  const auto lines = SplitPython(source);
  const Names names{Lines(lines)};
  std::map<std::string, NodeClass> classes;
  std::string registered;
  for (std::size_t index = 0; index < lines.size(); ++index) {
    const auto& line = lines[index];
    if (line.indent != 0) continue;
    if (IsOther(line.tokens[0], "@")) {
      registered = RegisteredName(line, names);
      continue;
    }
    const auto name = std::exchange(registered, {});
    if (!IsNodeClass(line.tokens, names)) continue;
    auto end = index + 1;
    while (end < lines.size() && lines[end].indent > 0) ++end;
    const NodeClass found{.line = line.number,
                          .ports = ClassReader(names).Read(Lines(lines).subspan(index + 1, end - index - 1))};
    if (!name.empty()) classes["@" + name] = found;
    classes[line.tokens[1].text] = found;
  }
  return classes;
}

}  // namespace penstock::plan
