// A received message as a Python object: header fields as attributes, payload through the buffer protocol.
//
// Read-only and without copies: memoryview(view) and numpy.asarray(view) are the producer's shared memory, shaped.
// Every exported buffer keeps the view alive, and the message's slot returns to its producer when the view dies.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "python_api.h"
#include "transport/input_port.h"

namespace penstock::core {

/// Adds the type to the module. False with an exception set.
auto AddMessageViewType(PyObject* module) -> bool;

/// `host` is kept alive by the view, so that ports outlive what they handed out.
auto NewMessageView(PyObject* host, std::size_t input, transport::Message message) -> PyObject*;

/// The message behind a view, while that lives, and the port that it came by; null for any other object.
struct TakenView {
  std::size_t input = 0;
  const transport::Message* message = nullptr;
};
auto ViewOf(PyObject* object) -> TakenView;

/// 32 hexadecimal digits, as a str.
auto HexOf(const std::array<std::uint8_t, 16>& trace_id) -> PyObject*;

}  // namespace penstock::core
