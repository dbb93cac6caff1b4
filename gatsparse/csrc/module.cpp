// The Python module gatsparse._C: registers the CPU kernels for the best
// instruction set that this processor supports.
#include <Python.h>

#include <cstring>
#include <memory>

#include "csr.h"
#include "fingerprint.h"

namespace gatsparse {

void register_memory(StableLibrary& library);
void register_graph(StableLibrary& library);
void register_generate(StableLibrary& library);
void register_sampling(StableLibrary& library);

// Every kernel file is compiled once per instruction set, in a namespace with its
// name. A new operator adds two lines to GATSPARSE_DECLARE.
#define GATSPARSE_DECLARE(isa)                   \
  namespace isa {                                \
  void register_gat(StableLibrary&);             \
  void register_gat_backward(StableLibrary&);    \
  void register_gatv2(StableLibrary&);           \
  void register_gatv2_backward(StableLibrary&);  \
  void register_neighbor_sum(StableLibrary&);    \
  void register_dropout(StableLibrary&);         \
  void register_sparse_linear(StableLibrary&);   \
  inline void load(StableLibrary& library) {     \
    register_gat(library);                       \
    register_gat_backward(library);              \
    register_gatv2(library);                     \
    register_gatv2_backward(library);            \
    register_neighbor_sum(library);              \
    register_dropout(library);                   \
    register_sparse_linear(library);             \
  }                                              \
  }

#ifdef GATSPARSE_HAS_baseline
GATSPARSE_DECLARE(baseline)
#endif
#ifdef GATSPARSE_HAS_avx2
GATSPARSE_DECLARE(avx2)
#endif
#ifdef GATSPARSE_HAS_avx512
GATSPARSE_DECLARE(avx512)
#endif

namespace {

struct Isa {
  const char* name;
  bool (*supported)();
  void (*load)(StableLibrary&);
};

const Isa kIsas[] = {
#ifdef GATSPARSE_HAS_avx512
    {"avx512",
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
     },
     &avx512::load},
#endif
#ifdef GATSPARSE_HAS_avx2
    {"avx2", [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); },
     &avx2::load},
#endif
#ifdef GATSPARSE_HAS_baseline
    {"baseline", [] { return true; }, &baseline::load},
#endif
};

std::unique_ptr<StableLibrary> kernels;  // the registration; replaced by use_isa

void register_kernels(const Isa& isa) {
  kernels.reset();
  kernels = std::make_unique<StableLibrary>(StableLibrary::Kind::IMPL, "gatsparse", "CPU",
                                            __FILE__, __LINE__);
  register_memory(*kernels);
  register_graph(*kernels);
  register_generate(*kernels);
  register_sampling(*kernels);
  isa.load(*kernels);
}

PyObject* isas(PyObject*, PyObject*) {
  PyObject* names = PyList_New(0);
  for (const Isa& isa : kIsas) {
    if (!names || !isa.supported()) continue;
    PyObject* name = PyUnicode_FromString(isa.name);
    if (!name || PyList_Append(names, name) < 0) Py_CLEAR(names);
    Py_XDECREF(name);
  }
  return names;
}

PyObject* use_isa(PyObject*, PyObject* argument) {
  PyObject* bytes = PyUnicode_AsUTF8String(argument);
  if (!bytes) return nullptr;
  const char* wanted = PyBytes_AsString(bytes);
  for (const Isa& isa : kIsas) {
    if (std::strcmp(isa.name, wanted) != 0 || !isa.supported()) continue;
    Py_DECREF(bytes);
    try {
      register_kernels(isa);
    } catch (const std::exception& error) {
      PyErr_SetString(PyExc_RuntimeError, error.what());
      return nullptr;
    }
    Py_RETURN_NONE;
  }
  PyErr_Format(PyExc_ValueError, "isa: '%s' is not built in or not supported here", wanted);
  Py_DECREF(bytes);
  return nullptr;
}

// Not an operator: the dispatcher would take longer than the fingerprint of a small graph takes.
PyObject* fingerprint_of(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 2) {
    PyErr_Format(PyExc_TypeError, "expected 2 arguments, got %zd", count);
    return nullptr;
  }
  const void* data = PyLong_AsVoidPtr(arguments[0]);
  const long long size = PyLong_AsLongLong(arguments[1]);
  if (PyErr_Occurred()) return nullptr;
  uint64_t hash = 0;
  Py_BEGIN_ALLOW_THREADS;
  hash = fingerprint(data, size);
  Py_END_ALLOW_THREADS;
  return PyLong_FromUnsignedLongLong(hash);
}

PyObject* release_memory(PyObject*, PyObject*) {
  release_kept_memory();
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"isas", isas, METH_NOARGS,
     "The instruction sets that are built in and run here, best first."},
    {"use_isa", use_isa, METH_O, "Registers the kernels built for one instruction set."},
    {"fingerprint", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(fingerprint_of)),
     METH_FASTCALL, "The fingerprint of memory: its address and its number of bytes."},
    {"release_memory", release_memory, METH_NOARGS,
     "Returns kept memory to the operating system."},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef module = {PyModuleDef_HEAD_INIT,
                      "_C",
                      "CPU kernels of gatsparse.",
                      -1,
                      methods,
                      nullptr,
                      nullptr,
                      nullptr,
                      nullptr};

}  // namespace
}  // namespace gatsparse

PyMODINIT_FUNC PyInit__C() { return PyModule_Create(&gatsparse::module); }
