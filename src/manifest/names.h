// The grammar of names: what a node, a port, a package, an image may be called.
//
// Each check returns the rule that is broken, as the end of the sentence "'x' …", or an empty string.
#pragma once

#include <string>
#include <string_view>

namespace penstock::manifest {

/// Letters, digits, '-' and '_', beginning with a letter or digit, at most 64: safe in a service, host and file name.
auto CheckNodeId(std::string_view id) -> std::string;
/// An identifier of Python, in ASCII, at most 64 characters.
auto CheckPort(std::string_view port) -> std::string;
/// One of the three kinds of ClassifyNodeType.
auto CheckNodeType(std::string_view node_type) -> std::string;
/// A dotted path of identifiers: `nodes.asr`.
auto CheckModule(std::string_view module) -> std::string;
/// A requirement as pip reads it from a line, without options: name, extras, versions or `@ url`, marker.
auto CheckRequirement(std::string_view requirement) -> std::string;
/// The package that a valid requirement names, normalised: "Silero_VAD==6" → "silero-vad".
auto RequirementName(std::string_view requirement) -> std::string;
/// A Debian package name, with `=version` or `:arch` if wanted.
auto CheckSystemPackage(std::string_view package) -> std::string;
/// An image reference: registry/name:tag@digest.
auto CheckImage(std::string_view image) -> std::string;
auto CheckEnvName(std::string_view name) -> std::string;
/// A version of Python ("3.11"), the path of an interpreter, or the name of a command ("python3.11").
auto CheckInterpreter(std::string_view python) -> std::string;
/// A version of Python that Penstock has images for.
auto CheckPythonVersion(std::string_view version) -> std::string;

}  // namespace penstock::manifest
