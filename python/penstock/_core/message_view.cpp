#include "message_view.h"

#include <fmt/format.h>

#include <memory>
#include <new>
#include <optional>
#include <string>

#include "buffer.h"
#include "fork_guard.h"
#include "host_object.h"

namespace penstock::core {
namespace {

PyTypeObject* type = nullptr;

struct Content {
  transport::Message message;
  ArrayLayout layout;
};

struct ViewObject {
  PyObject_HEAD PyObject* host;
  std::size_t input;
  std::optional<Content> content;
};

auto Self(PyObject* object) -> ViewObject& { return *reinterpret_cast<ViewObject*>(object); }
auto HeaderOf(PyObject* object) -> const message::Header& { return Self(object).content->message.header(); }

void Dealloc(PyObject* object) {
  auto& self = Self(object);
  if (!Forked()) {
    std::destroy_at(&self.content);
    ReleaseChild(self.host);
  }
  Py_DECREF(self.host);
  Free(object);
}

auto GetBuffer(PyObject* object, Py_buffer* view, int flags) -> int {
  view->obj = nullptr;
  if (!CheckNotForked()) return -1;
  auto& content = *Self(object).content;
  const auto payload = content.message.payload();
  return FillBuffer(view, object, {payload.data(), payload.size(), false}, content.layout, flags);
}

auto GetKind(PyObject* self, void*) -> PyObject* { return PyLong_FromLong(static_cast<long>(HeaderOf(self).kind)); }
auto GetRate(PyObject* self, void*) -> PyObject* { return PyLong_FromUnsignedLong(HeaderOf(self).rate); }
auto GetPixelFormat(PyObject* self, void*) -> PyObject* {
  return PyLong_FromLong(static_cast<long>(HeaderOf(self).pixel_format));
}
auto GetCode(PyObject* self, void*) -> PyObject* { return PyLong_FromLong(HeaderOf(self).dtype.code); }
auto GetBits(PyObject* self, void*) -> PyObject* { return PyLong_FromLong(HeaderOf(self).dtype.bits); }
auto GetNbytes(PyObject* self, void*) -> PyObject* { return PyLong_FromUnsignedLongLong(HeaderOf(self).payload_bytes); }
auto GetInput(PyObject* self, void*) -> PyObject* { return PyLong_FromSize_t(Self(self).input); }
auto GetSequence(PyObject* self, void*) -> PyObject* { return PyLong_FromUnsignedLongLong(HeaderOf(self).sequence); }
auto GetEpoch(PyObject* self, void*) -> PyObject* { return PyLong_FromUnsignedLong(HeaderOf(self).epoch); }
auto GetAttempt(PyObject* self, void*) -> PyObject* { return PyLong_FromLong(HeaderOf(self).attempt); }
auto GetPublishTime(PyObject* self, void*) -> PyObject* { return PyLong_FromLongLong(HeaderOf(self).publish_time_ns); }
auto GetTraceId(PyObject* self, void*) -> PyObject* { return HexOf(HeaderOf(self).trace_id); }
auto GetRedelivered(PyObject* self, void*) -> PyObject* {
  return PyBool_FromLong(Self(self).content->message.redelivered() ? 1 : 0);
}
auto GetMemory(PyObject* self, void*) -> PyObject* { return PyMemoryView_FromObject(self); }

auto GetShape(PyObject* self, void*) -> PyObject* {
  const auto& header = HeaderOf(self);
  Ref tuple(PyTuple_New(header.dimensions));
  if (!tuple) return nullptr;
  for (std::size_t i = 0; i < header.dimensions; ++i) {
    PyObject* extent = PyLong_FromLongLong(header.shape.at(i));
    if (extent == nullptr || PyTuple_SetItem(tuple.get(), static_cast<Py_ssize_t>(i), extent) != 0) return nullptr;
  }
  return tuple.release();
}

auto GetTime(PyObject* self, void*) -> PyObject* {
  const auto& header = HeaderOf(self);
  if ((header.flags & message::kFlagHasMediaTime) == 0) Py_RETURN_NONE;
  return PyLong_FromLongLong(header.media_time_ns);
}

auto GetMetadata(PyObject* self, void*) -> PyObject* {
  if (!CheckNotForked()) return nullptr;
  const auto text = Self(self).content->message.metadata();
  if (text.empty()) Py_RETURN_NONE;
  return PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
}

PyGetSetDef getters[] = {
    {"kind", GetKind, nullptr, "message::Kind as a number", nullptr},
    {"rate", GetRate, nullptr, "samples a second, 0 unless audio", nullptr},
    {"pixel_format", GetPixelFormat, nullptr, "message::PixelFormat as a number, 0 unless an image", nullptr},
    {"code", GetCode, nullptr, "DLPack type code of the elements", nullptr},
    {"bits", GetBits, nullptr, "bits of one element", nullptr},
    {"shape", GetShape, nullptr, "extents, empty for messages without a shape", nullptr},
    {"nbytes", GetNbytes, nullptr, "bytes of the payload", nullptr},
    {"input", GetInput, nullptr, "index of the input port", nullptr},
    {"sequence", GetSequence, nullptr, "number of the message on its output, from 0", nullptr},
    {"epoch", GetEpoch, nullptr, "incarnation of the producer", nullptr},
    {"attempt", GetAttempt, nullptr, "how often the producer handled the origin before", nullptr},
    {"publish_time", GetPublishTime, nullptr, "CLOCK_MONOTONIC nanoseconds", nullptr},
    {"trace_id", GetTraceId, nullptr, "W3C trace id, 32 hexadecimal digits", nullptr},
    {"redelivered", GetRedelivered, nullptr, "whether an earlier incarnation of this node had it already", nullptr},
    {"time", GetTime, nullptr, "media time in nanoseconds, or None", nullptr},
    {"metadata", GetMetadata, nullptr, "JSON as bytes, or None", nullptr},
    {"memory", GetMemory, nullptr, "the payload as a shaped read-only memoryview", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    Slot(Py_tp_new, RefuseNew),
    Slot(Py_tp_dealloc, Dealloc),
    Slot(Py_bf_getbuffer, GetBuffer),
    {Py_tp_getset, getters},
    {0, nullptr},
};
PyType_Spec spec = {"penstock._core.MessageView", sizeof(ViewObject), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

auto HexOf(const std::array<std::uint8_t, 16>& trace_id) -> PyObject* {
  std::string text;
  for (const auto byte : trace_id) text += fmt::format("{:02x}", byte);
  return PyUnicode_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size()));
}

auto AddMessageViewType(PyObject* module) -> bool {
  type = AddType(module, "MessageView", spec);
  return type != nullptr;
}

auto ViewOf(PyObject* object) -> TakenView {
  if (object == nullptr || Py_TYPE(object) != type) return {};
  const auto& self = Self(object);
  return {self.input, &self.content->message};
}

auto NewMessageView(PyObject* host, std::size_t input, transport::Message message) -> PyObject* {
  PyObject* object = Allocate(type);
  if (object == nullptr) return nullptr;
  auto& self = Self(object);
  Py_INCREF(host);
  self.host = host;
  self.input = input;
  AddChild(host);
  auto* content = std::construct_at(&self.content);
  const auto layout = ArrayLayout::Of(message.header());
  content->emplace(Content{std::move(message), layout});
  return object;
}

}  // namespace penstock::core
